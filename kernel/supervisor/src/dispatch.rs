//! Stops other cores and starts them with an order; starts those again that do not come at once.

use alloc::vec::Vec;
use core::mem;

use sharedmem::event::CoresRetried;
use takeover::{Call, CoreSet, StartupRetry};

use crate::ap_mailbox::{ApMailboxes, Arrival, Order};
use crate::cores::{Cores, Signal};

/// A moment from INIT to SIPI when no machine counts it, in ns.
const SETTLE_NS: u64 = 50_000;

/// How long a core that lingers may take to find its order, in ns; after that it has gone to sleep and is started anew.
const PICK_UP_NS: u64 = 20_000;

/// A core that was called with an order.
struct PendingStart {
    core: u32,
    retry: StartupRetry,
    order: Order,
    /// It had stopped, with proof, before it was called.
    was_stopped: bool,
}

/// The means to stop and start other cores.
pub struct Dispatch<C> {
    cores: C,
    /// Cores that were called and have not come, as far as is known; each is here once.
    pending: Vec<PendingStart>,
}

impl<C: Cores> Dispatch<C> {
    /// Makes a dispatch that has started no core.
    pub fn new(cores: C) -> Self {
        Self {
            cores,
            pending: Vec::new(),
        }
    }

    /// Returns the cores that it moves.
    pub fn cores(&self) -> &C {
        &self.cores
    }

    /// Returns where they arrive.
    pub fn mailboxes(&self) -> &ApMailboxes {
        self.cores.mailboxes()
    }

    /// Returns the time, in ns since the machine's boot.
    pub fn now_ns(&self) -> u64 {
        self.cores.now_ns()
    }

    /// Interrupts a core, also with interrupts off.
    pub fn nmi(&self, core: u32) {
        self.cores.send([core], Signal::Nmi);
    }

    /// Stops a core, whatever it runs, and takes back any order left for it.
    pub fn init(&mut self, core: u32) {
        self.pending.retain(|it| it.core != core);
        self.mailboxes().withdraw_order(core);
        self.cores.send([core], Signal::Init);
    }

    /// Sends stopped cores to their mailboxes, to check in there in a new `generation`; the `lead` among them is to
    /// stay awake there.
    pub fn startup(&self, cores: CoreSet, generation: u64, lead: Option<u32>) {
        self.mailboxes().begin_generation(cores, generation);
        for core in cores.iter() {
            self.mailboxes().set_lingers(core, lead == Some(core));
        }
        self.cores.send(cores.iter(), Signal::Startup);
    }

    /// Starts stopped cores, each with its order, all at once; [`retry_pending`](Self::retry_pending) sees to it that
    /// they come.
    pub fn start(&mut self, orders: impl IntoIterator<Item = (u32, Order)>) {
        let retry = StartupRetry::new(self.now_ns());
        let start = |(core, order)| PendingStart {
            core,
            retry,
            order,
            was_stopped: true,
        };
        self.call(orders.into_iter().map(start).collect());
    }

    /// Takes a core away from whatever it runs, and starts it with an order.
    pub fn take(&mut self, core: u32, order: Order) {
        self.call(Vec::from([PendingStart {
            core,
            retry: StartupRetry::new(self.now_ns()),
            order,
            was_stopped: false,
        }]));
    }

    /// Calls these cores: as many as there are, the pause between INIT and SIPI comes once.
    fn call(&mut self, starts: Vec<PendingStart>) {
        if starts.is_empty() {
            return;
        }
        for it in &starts {
            self.init(it.core);
        }
        self.cores.spin_until(SETTLE_NS, || false);
        for it in &starts {
            self.mailboxes()
                .leave_order(it.core, &it.order, Arrival::Next);
        }
        let called = starts.iter().map(|it| it.core);
        self.cores.send(called, Signal::Startup);
        self.pending.extend(starts);
    }

    /// Gives an order to a core that has just checked in: it may still be awake, or it is started.
    pub fn assign(&mut self, core: u32, order: Order) {
        let mailboxes = self.mailboxes();
        mailboxes.leave_order(core, &order, Arrival::Last);
        self.cores
            .spin_until(PICK_UP_NS, || !mailboxes.has_order(core));
        // A core that has taken the order up is on its way by now and must not be struck again: only one that sleeps is
        // started.
        if mailboxes.withdraw_order(core) {
            self.start([(core, order)]);
        }
    }

    /// Calls those again that did not come for their orders. Returns those that are given up and had stopped before:
    /// since then they have run nothing, and without their orders they never will.
    pub fn retry_pending(&mut self) -> CoreSet {
        let now_ns = self.now_ns();
        let mut again = Vec::new();
        let mut given_up = Vec::new();
        for mut it in mem::take(&mut self.pending) {
            let call = it.retry.step(now_ns);
            if call == Call::Wait && self.mailboxes().has_order(it.core) {
                self.pending.push(it);
                continue;
            }
            // Taken up, perhaps at the last moment: it must not be struck.
            if !self.mailboxes().withdraw_order(it.core) {
                continue;
            }
            match call {
                Call::GiveUp if it.was_stopped => given_up.push(it.core),
                Call::GiveUp => log::error!("core {} does not start", it.core),
                Call::Wait | Call::Again => again.push(it),
            }
        }
        if !again.is_empty() {
            let cores = again.iter().map(|it| it.core).collect();
            log::warn!("{}", CoresRetried { cores });
        }
        self.call(again);
        CoreSet::from_cores(given_up).unwrap_or_default()
    }

    /// Returns whether a core that is none of the `others` has not come for its order although it was called more than
    /// once. Whether INIT stops it, nobody can say.
    pub fn misses_cores_beside(&self, others: CoreSet) -> bool {
        let is_missing = |it: &PendingStart| {
            let is_called_again = it.retry.calls() > 1 && self.mailboxes().has_order(it.core);
            is_called_again && !others.contains(it.core)
        };
        self.pending.iter().any(is_missing)
    }

    /// Returns when [`retry_pending`](Self::retry_pending) is due, in ns; `None` if all have come.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.pending
            .iter()
            .filter(|it| self.mailboxes().has_order(it.core))
            .map(|it| it.retry.deadline_ns())
            .min()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::vec::Vec;

    use super::*;

    const ORDER: Order = Order {
        page_table: 1,
        entry: 2,
        stack_top: 3,
        arguments: [4, 5, 6],
    };

    /// A machine with one core that does what the test wants it to; a spin takes as long as it may.
    #[derive(Default)]
    struct OneCore {
        now_ns: Cell<u64>,
        sent: RefCell<Vec<Signal>>,
        mailboxes: ApMailboxes,
        /// It checked in, and looks for its order while the seat spins.
        is_awake: Cell<bool>,
        /// It comes when it is called.
        hears: Cell<bool>,
        taken: RefCell<Vec<Order>>,
    }

    impl OneCore {
        fn come(&self) {
            let arrived = self.mailboxes.arrive(1);
            self.taken
                .borrow_mut()
                .extend(self.mailboxes.take_order(1, &arrived));
        }
    }

    impl Cores for OneCore {
        fn now_ns(&self) -> u64 {
            self.now_ns.get()
        }

        fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool) {
            if self.is_awake.get() && !is_done() {
                let arrived = crate::Arrived {
                    number: 1,
                    lingers: true,
                };
                let order = self.mailboxes.take_order(1, &arrived);
                self.taken.borrow_mut().extend(order);
            }
            self.now_ns.set(self.now_ns.get() + duration_ns);
        }

        fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal) {
            let mut cores = cores.into_iter();
            assert!(cores.next().is_some() && cores.all(|core| core == 1));
            self.sent.borrow_mut().push(signal);
            if signal == Signal::Init {
                self.is_awake.set(false);
            }
            if signal == Signal::Startup && self.hears.get() {
                self.come();
            }
        }

        fn mailboxes(&self) -> &ApMailboxes {
            &self.mailboxes
        }
    }

    fn signals(dispatch: &Dispatch<OneCore>) -> Vec<Signal> {
        dispatch.cores.sent.take()
    }

    #[test]
    fn a_core_that_comes_is_called_once() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.cores.hears.set(true);
        dispatch.start([(1, ORDER)]);
        assert_eq!(signals(&dispatch), [Signal::Init, Signal::Startup]);
        assert_eq!(dispatch.deadline_ns(), None);
        dispatch.cores.now_ns.set(u64::MAX / 2);
        dispatch.retry_pending();
        assert_eq!(signals(&dispatch), [], "it is on its way");
        assert_eq!(dispatch.cores.taken.take(), [ORDER]);
    }

    #[test]
    fn a_core_that_does_not_come_is_called_again_and_given_up_at_last() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.start([(1, ORDER)]);
        let mut calls = 1;
        signals(&dispatch);
        while let Some(deadline_ns) = dispatch.deadline_ns() {
            assert!(calls < 100, "for ever");
            dispatch.cores.now_ns.set(deadline_ns - 1);
            dispatch.retry_pending();
            assert_eq!(signals(&dispatch), []);
            dispatch.cores.now_ns.set(deadline_ns);
            let given_up = dispatch.retry_pending();
            calls += signals(&dispatch).len() / 2;
            let misses = |others| dispatch.misses_cores_beside(others);
            assert_eq!(misses(CoreSet::EMPTY), given_up.is_empty());
            assert!(!misses(CoreSet::from_cores([1]).unwrap()), "a slice's core");
            assert_eq!(given_up.contains(1), dispatch.deadline_ns().is_none());
        }
        assert!(calls > 1);
        assert!(!dispatch.mailboxes().has_order(1), "it comes too late");
        dispatch.cores.come();
        assert_eq!(dispatch.cores.taken.take(), []);
    }

    #[test]
    fn a_core_that_may_run_something_is_never_given_up_as_stopped() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.take(1, ORDER);
        while let Some(deadline_ns) = dispatch.deadline_ns() {
            dispatch.cores.now_ns.set(deadline_ns);
            assert_eq!(dispatch.retry_pending(), CoreSet::EMPTY);
        }
    }

    #[test]
    fn cores_that_are_started_together_wait_once_for_init() {
        let dispatch = |orders: &[(u32, Order)]| {
            let mut dispatch = Dispatch::new(OneCore::default());
            dispatch.start(orders.iter().copied());
            dispatch.cores.now_ns.get()
        };
        assert_eq!(dispatch(&[(1, ORDER)]), dispatch(&[(1, ORDER); 100]));
        assert_eq!(dispatch(&[]), 0);
    }

    #[test]
    fn a_core_that_is_late_and_has_its_order_is_not_struck() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.start([(1, ORDER)]);
        signals(&dispatch);
        dispatch.cores.come();
        dispatch.cores.now_ns.set(u64::MAX / 2);
        dispatch.retry_pending();
        assert_eq!(signals(&dispatch), []);
        assert_eq!(dispatch.cores.taken.take(), [ORDER]);
    }

    #[test]
    fn a_core_that_is_stopped_is_not_chased() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.start([(1, ORDER)]);
        dispatch.init(1);
        signals(&dispatch);
        assert_eq!(dispatch.deadline_ns(), None);
        dispatch.cores.now_ns.set(u64::MAX / 2);
        dispatch.retry_pending();
        assert_eq!(signals(&dispatch), []);
        dispatch.cores.come();
        assert_eq!(
            dispatch.cores.taken.take(),
            [],
            "the order was for another life"
        );
    }

    #[test]
    fn a_core_that_is_awake_is_employed_without_a_signal_and_one_that_sleeps_is_started() {
        for is_awake in [true, false] {
            let mut dispatch = Dispatch::new(OneCore::default());
            dispatch.cores.hears.set(true);
            dispatch.cores.come();
            dispatch.cores.is_awake.set(is_awake);
            dispatch.assign(1, ORDER);
            let expected: &[Signal] = match is_awake {
                true => &[],
                false => &[Signal::Init, Signal::Startup],
            };
            assert_eq!(signals(&dispatch), expected);
            assert_eq!(dispatch.cores.taken.take(), [ORDER]);
        }
    }
}
