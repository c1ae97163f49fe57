//! The roll call: which of the cores that the firmware lists are there.
//!
//! Firmware lists cores that do not exist, or that are broken. A fence waits for the proof of every core of a primary,
//! so such a core would refuse each takeover. Therefore each is stopped and started once before the machine is divided,
//! by the same fence that a takeover uses: all at once, so the roll call takes as long as the slowest core. A core that
//! does not check in gets no part in anything.

use takeover::{CoreSet, Fence, FenceConfig, Strike};

use crate::cores::{Cores, Signal};

/// How long the cores get: longer than in a takeover, because nobody waits for a service yet, and a core that is left
/// out by mistake is lost until the next boot. Without NMIs: there is no kernel whose handler could help.
const TIMES: FenceConfig = FenceConfig {
    nmi_first: false,
    leave_ns: 0,
    settle_ns: 200_000,
    check_in_ns: 200_000_000,
    tries_max: 3,
};

const _: () = assert!(TIMES.tries_max < takeover::NMI_FROM_ROUND && !TIMES.nmi_first);

/// Check-ins of the roll call carry generations above this one. No fence of a takeover ever gets there, and those of
/// lent cores begin at twice this number, so they prove nothing to any.
const GENERATION: u64 = 1 << 62;

/// How often it is looked for check-ins, in ns.
const POLL_NS: u64 = 10_000;

/// Calls these cores, before any of them runs anything. Returns those that do not answer.
pub fn roll_call(cores: &impl Cores, called: CoreSet) -> CoreSet {
    let mailboxes = cores.mailboxes();
    let send = |to: CoreSet, signal| cores.send(to.iter(), signal);
    let mut fence = Fence::new(TIMES, GENERATION, called);
    let silent = loop {
        for core in fence.pending().iter() {
            fence.check_in(core, mailboxes.checked_in(core));
        }
        match fence.step(cores.now_ns()) {
            Strike::Wait => cores.spin_until(POLL_NS, || false),
            Strike::Init(to) => send(to, Signal::Init),
            Strike::Nmi(to) => send(to, Signal::Nmi),
            Strike::Startup(to) => {
                mailboxes.begin_generation(to, fence.generation());
                send(to, Signal::Startup);
            }
            Strike::Proven => break CoreSet::EMPTY,
            Strike::Refused(silent) => break silent,
        }
    };
    // A core that comes too late proves nothing.
    mailboxes.begin_generation(called, 0);
    silent
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::vec::Vec;

    use super::*;
    use crate::ap_mailbox::ApMailboxes;

    /// Cores that check in some time after their SIPI; by number, in ns.
    struct Slow {
        now_ns: Cell<u64>,
        answers_after_ns: Vec<Option<u64>>,
        coming: RefCell<Vec<(u64, u32)>>,
        sent: RefCell<Vec<(u32, Signal)>>,
        mailboxes: ApMailboxes,
    }

    impl Slow {
        fn new(answers_after_ns: impl IntoIterator<Item = Option<u64>>) -> Self {
            Self {
                now_ns: Cell::new(0),
                answers_after_ns: answers_after_ns.into_iter().collect(),
                coming: RefCell::default(),
                sent: RefCell::default(),
                mailboxes: ApMailboxes::new(),
            }
        }

        /// Calls all but the seat. Returns who was silent and how long it took, in ns.
        fn call(&self) -> (Vec<u32>, u64) {
            let count = self.answers_after_ns.len() as u32;
            let called = CoreSet::from_cores(1..count).unwrap();
            (roll_call(self, called).iter().collect(), self.now_ns.get())
        }

        fn signals_to(&self, core: u32) -> Vec<Signal> {
            let sent = self.sent.borrow();
            sent.iter()
                .filter(|it| it.0 == core)
                .map(|it| it.1)
                .collect()
        }
    }

    impl Cores for Slow {
        fn now_ns(&self) -> u64 {
            self.now_ns.get()
        }

        fn spin_until(&self, duration_ns: u64, _: impl Fn() -> bool) {
            let now_ns = self.now_ns.get() + duration_ns;
            self.now_ns.set(now_ns);
            self.coming.borrow_mut().retain(|(at_ns, core)| {
                let is_late = *at_ns > now_ns;
                if !is_late {
                    self.mailboxes.arrive(*core);
                }
                is_late
            });
        }

        fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal) {
            for core in cores {
                self.sent.borrow_mut().push((core, signal));
                match (signal, self.answers_after_ns[core as usize]) {
                    (Signal::Init, _) => self.coming.borrow_mut().retain(|it| it.1 != core),
                    (Signal::Startup, Some(after_ns)) => {
                        let at_ns = self.now_ns.get() + after_ns;
                        self.coming.borrow_mut().push((at_ns, core));
                    }
                    _ => {}
                }
            }
        }

        fn mailboxes(&self) -> &ApMailboxes {
            &self.mailboxes
        }
    }

    #[test]
    fn cores_that_answer_are_called_once_and_the_slowest_alone_counts() {
        let took_ns = |count: usize| {
            let answers = (0..count).map(|core| Some(1_000_000 + core as u64 % 2));
            let cores = Slow::new(answers);
            let (silent, took_ns) = cores.call();
            assert_eq!(silent, []);
            for core in 1..count as u32 {
                assert_eq!(cores.signals_to(core), [Signal::Init, Signal::Startup]);
            }
            took_ns
        };
        assert_eq!(took_ns(3), took_ns(sharedmem::MAX_CORES));
    }

    #[test]
    fn a_core_that_is_slow_is_there_and_one_that_never_answers_is_not() {
        let slow_ns = TIMES.check_in_ns + 1_000_000;
        let cores = Slow::new([None, Some(0), Some(slow_ns), None]);
        let (silent, took_ns) = cores.call();
        assert_eq!(silent, [3]);
        assert!(took_ns <= TIMES.worst_case_ns() + 10 * POLL_NS, "{took_ns}");
        assert_eq!(cores.signals_to(1), [Signal::Init, Signal::Startup]);
        assert_eq!(cores.signals_to(3).len(), 2 * TIMES.tries_max as usize);
    }

    #[test]
    fn an_answer_to_the_roll_call_proves_nothing_to_a_fence() {
        let cores = Slow::new([None, Some(0), None]);
        cores.call();
        let answered = cores.mailboxes.checked_in(1);
        cores.mailboxes.arrive(2);
        let late = cores.mailboxes.checked_in(2);
        // The machine's first fence uses generation 1, and each round one more.
        assert!(
            answered > 1 << 62 && answered < 1 << 63 && late == 0,
            "{answered} {late}"
        );
    }
}
