//! Stops other cores and starts them with an order; starts those again that do not come at once.

use alloc::vec::Vec;
use core::mem;

use sharedmem::event::CoreRetried;
use takeover::{Call, StartupRetry};

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
        self.cores.send(core, Signal::Nmi);
    }

    /// Stops a core, whatever it runs, and takes back any order left for it.
    pub fn init(&mut self, core: u32) {
        self.pending.retain(|it| it.core != core);
        self.mailboxes().withdraw_order(core);
        self.cores.send(core, Signal::Init);
    }

    /// Sends a stopped core to its mailbox, to check in there in a new `generation`; it is to stay awake there if it
    /// `lingers`.
    pub fn startup(&self, core: u32, generation: u64, lingers: bool) {
        self.mailboxes().begin_generation(generation);
        self.mailboxes().set_lingers(core, lingers);
        self.cores.send(core, Signal::Startup);
    }

    /// Starts a stopped core with an order; [`retry_pending`](Self::retry_pending) sees to it that it comes.
    pub fn start(&mut self, core: u32, order: Order) {
        self.call(core, order);
        let retry = StartupRetry::new(self.now_ns());
        self.pending.push(PendingStart { core, retry, order });
    }

    fn call(&mut self, core: u32, order: Order) {
        self.init(core);
        self.cores.spin_until(SETTLE_NS, || false);
        self.mailboxes().leave_order(core, &order, Arrival::Next);
        self.cores.send(core, Signal::Startup);
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
            self.start(core, order);
        }
    }

    /// Calls those again that did not come for their orders.
    pub fn retry_pending(&mut self) {
        let now_ns = self.now_ns();
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
            if call == Call::GiveUp {
                log::error!("core {} does not start", it.core);
                continue;
            }
            log::warn!("{}", CoreRetried { core: it.core });
            self.call(it.core, it.order);
            self.pending.push(it);
        }
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

        fn send(&self, core: u32, signal: Signal) {
            assert_eq!(core, 1);
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
        dispatch.start(1, ORDER);
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
        dispatch.start(1, ORDER);
        let mut calls = 1;
        signals(&dispatch);
        while let Some(deadline_ns) = dispatch.deadline_ns() {
            assert!(calls < 100, "for ever");
            dispatch.cores.now_ns.set(deadline_ns - 1);
            dispatch.retry_pending();
            assert_eq!(signals(&dispatch), []);
            dispatch.cores.now_ns.set(deadline_ns);
            dispatch.retry_pending();
            calls += signals(&dispatch).len() / 2;
        }
        assert!(calls > 1);
        assert!(!dispatch.mailboxes().has_order(1), "it comes too late");
        dispatch.cores.come();
        assert_eq!(dispatch.cores.taken.take(), []);
    }

    #[test]
    fn a_core_that_is_late_and_has_its_order_is_not_struck() {
        let mut dispatch = Dispatch::new(OneCore::default());
        dispatch.start(1, ORDER);
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
        dispatch.start(1, ORDER);
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
