//! The mailboxes of application processors (APs): where a started core arrives. It checks in, which proves that
//! whatever it ran before has stopped for good, and finds its order.
//!
//! The supervisor writes one side and the core the other; they share nothing but these words. The words are in the
//! monitor's own memory, which no instance maps: a dead primary cannot have written them.

use core::array;

use sharedmem::MAX_CORES;
use sharedmem::sync::{AtomicU64, Ordering};
use takeover::CoreSet;

/// What a core does after its check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Top page table of the instance.
    pub page_table: u64,
    /// Entry point and stack in that address space.
    pub entry: u64,
    /// Top of the stack.
    pub stack_top: u64,
    /// What it finds in RDI, RSI and RDX.
    pub arguments: [u64; 3],
}

const ORDER_WORDS: usize = 6;

impl Order {
    fn words(&self) -> [u64; ORDER_WORDS] {
        let [first, second, third] = self.arguments;
        [
            self.page_table,
            self.entry,
            self.stack_top,
            first,
            second,
            third,
        ]
    }

    fn from_words([page_table, entry, stack_top, arguments @ ..]: [u64; ORDER_WORDS]) -> Self {
        Self {
            page_table,
            entry,
            stack_top,
            arguments,
        }
    }
}

/// Which of a core's arrivals an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its last one: it is still awake, or is not coming back to take it.
    Last,
    /// Its next one, after INIT and SIPI. INIT takes its time: a core that took the order before would be stopped on
    /// its way.
    Next,
}

/// A core that has checked in and looks for its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Which of its arrivals this is, counted from 1.
    pub number: u64,
    /// Whether it is to stay awake and look again.
    pub lingers: bool,
}

const NO_ORDER: u64 = 0;

/// What the supervisor and one core share.
struct ApMailbox {
    /// What its next check-in carries.
    generation: AtomicU64,
    check_in: AtomicU64,
    /// How often the core has come here.
    arrivals: AtomicU64,
    /// The first arrival that may take the order up; 0: there is none.
    order_from: AtomicU64,
    /// Not 0: the core stays awake after its check-in.
    lingers: AtomicU64,
    order: [AtomicU64; ORDER_WORDS],
}

/// The mailboxes of all cores, by machine number.
pub struct ApMailboxes {
    mailboxes: [ApMailbox; MAX_CORES],
}

impl Default for ApMailboxes {
    fn default() -> Self {
        Self::new()
    }
}

/// The supervisor's side.
impl ApMailboxes {
    /// Makes mailboxes at which no core has arrived.
    pub const fn new() -> Self {
        Self {
            mailboxes: [const {
                ApMailbox {
                    generation: AtomicU64::new(0),
                    check_in: AtomicU64::new(0),
                    arrivals: AtomicU64::new(0),
                    order_from: AtomicU64::new(NO_ORDER),
                    lingers: AtomicU64::new(0),
                    order: [const { AtomicU64::new(0) }; ORDER_WORDS],
                }
            }; MAX_CORES],
        }
    }

    /// Begins a generation of check-ins of these cores; their earlier ones prove nothing any more. Other cores, which
    /// another fence may wait for, go on with theirs.
    pub fn begin_generation(&self, cores: CoreSet, generation: u64) {
        for core in cores.iter() {
            self.of(core).generation.store(generation, Ordering::SeqCst);
        }
    }

    /// Returns the generation of the core's last check-in.
    #[inline]
    pub fn checked_in(&self, core: u32) -> u64 {
        self.of(core).check_in.load(Ordering::Acquire)
    }

    /// Lets the core stay awake for its order after its check-in.
    pub fn set_lingers(&self, core: u32, lingers: bool) {
        self.of(core)
            .lingers
            .store(u64::from(lingers), Ordering::Release);
    }

    /// Leaves an order for a core that is stopped or about to be, or that lingers after its check-in.
    pub fn leave_order(&self, core: u32, order: &Order, arrival: Arrival) {
        let mailbox = self.of(core);
        // Before any word of the order is written over: a core that is late and still reads the last one then fails to
        // take it.
        mailbox.order_from.swap(NO_ORDER, Ordering::AcqRel);
        for (to, word) in mailbox.order.iter().zip(order.words()) {
            to.store(word, Ordering::Relaxed);
        }
        let last = mailbox.arrivals.load(Ordering::Acquire);
        let from = match arrival {
            // A core that never came has none.
            Arrival::Last => last.max(1),
            Arrival::Next => last + 1,
        };
        mailbox.order_from.store(from, Ordering::Release);
    }

    /// Takes an order back. False if there was none, or the core has taken it up: then it is on its way and must be
    /// left alone.
    pub fn withdraw_order(&self, core: u32) -> bool {
        self.of(core).order_from.swap(NO_ORDER, Ordering::AcqRel) != NO_ORDER
    }

    /// Returns whether there is an order that the core has not taken up.
    #[inline]
    pub fn has_order(&self, core: u32) -> bool {
        self.of(core).order_from.load(Ordering::Acquire) != NO_ORDER
    }

    fn of(&self, core: u32) -> &ApMailbox {
        &self.mailboxes[core as usize]
    }
}

/// The core's side.
impl ApMailboxes {
    /// Checks the core in.
    pub fn arrive(&self, core: u32) -> Arrived {
        let mailbox = self.of(core);
        let number = mailbox.arrivals.fetch_add(1, Ordering::AcqRel) + 1;
        mailbox
            .check_in
            .store(mailbox.generation.load(Ordering::SeqCst), Ordering::Release);
        Arrived {
            number,
            lingers: mailbox.lingers.load(Ordering::Acquire) != 0,
        }
    }

    /// Takes up the order for the core at this arrival.
    #[inline]
    pub fn take_order(&self, core: u32, arrived: &Arrived) -> Option<Order> {
        let mailbox = self.of(core);
        let from = mailbox.order_from.load(Ordering::Acquire);
        if from == NO_ORDER || from > arrived.number {
            return None;
        }
        // Read before it is taken: from then on the seat may write another.
        let words = array::from_fn(|word| mailbox.order[word].load(Ordering::Relaxed));
        mailbox
            .order_from
            .compare_exchange(from, NO_ORDER, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(|_| Order::from_words(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(entry: u64) -> Order {
        Order {
            page_table: 1,
            entry,
            stack_top: 3,
            arguments: [4, 5, 6],
        }
    }

    #[test]
    fn an_order_is_taken_up_once_and_whole() {
        let mailboxes = ApMailboxes::new();
        let arrived = mailboxes.arrive(2);
        mailboxes.leave_order(2, &order(7), Arrival::Last);
        assert!(mailboxes.has_order(2) && !mailboxes.has_order(1));
        assert_eq!(mailboxes.take_order(2, &arrived), Some(order(7)));
        assert_eq!(mailboxes.take_order(2, &arrived), None);
        assert!(!mailboxes.withdraw_order(2), "it is on its way");
    }

    #[test]
    fn an_order_for_the_next_arrival_waits_for_it() {
        let mailboxes = ApMailboxes::new();
        let awake = mailboxes.arrive(1);
        mailboxes.leave_order(1, &order(7), Arrival::Next);
        assert_eq!(
            mailboxes.take_order(1, &awake),
            None,
            "INIT is on its way to it"
        );
        let anew = mailboxes.arrive(1);
        assert_eq!(mailboxes.take_order(1, &anew), Some(order(7)));
    }

    #[test]
    fn an_order_that_was_withdrawn_is_not_taken_up() {
        let mailboxes = ApMailboxes::new();
        let arrived = mailboxes.arrive(1);
        mailboxes.leave_order(1, &order(7), Arrival::Last);
        assert!(mailboxes.withdraw_order(1));
        assert!(!mailboxes.withdraw_order(1));
        assert_eq!(mailboxes.take_order(1, &arrived), None);
    }

    #[test]
    fn a_check_in_is_of_the_generation_it_was_made_in() {
        let mailboxes = ApMailboxes::new();
        let begin = |core, generation| {
            mailboxes.begin_generation(CoreSet::from_cores([core]).unwrap(), generation);
        };
        begin(1, 5);
        mailboxes.set_lingers(1, true);
        let first = mailboxes.arrive(1);
        assert_eq!((first.number, first.lingers), (1, true));
        begin(1, 6);
        begin(2, 9);
        assert_eq!((mailboxes.checked_in(1), mailboxes.checked_in(2)), (5, 0));
        assert_eq!(mailboxes.arrive(1).number, 2);
        assert_eq!(
            mailboxes.checked_in(1),
            6,
            "another core's generation is not its own"
        );
    }
}
