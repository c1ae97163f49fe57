//! Events: what happens at a time, and the queue that puts them in order.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::machine::frame::Frame;

/// Something that happens at a time.
#[derive(Debug)]
pub enum Event {
    /// Interrupts of these kinds reach a core.
    Interrupt(u32, u32),
    /// The periodic timer of a primary's core fires; this incarnation set it.
    Tick(u32, u32),
    /// INIT reaches a core.
    Init(u32),
    /// SIPI reaches a core.
    Startup(u32),
    /// A frame reaches the network card.
    Arrival(Frame),
    /// A frame reaches its client.
    Delivery(Frame),
    /// A client looks whether there is something to do.
    Client(usize),
    /// A core that ignored INIT and SIPI takes them again.
    Unstick(u32),
}

struct Queued {
    at_ns: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

/// The events that are still to come, in the order of their times; those of one time in the order in which they were
/// added.
#[derive(Default)]
pub struct Events {
    heap: RefCell<BinaryHeap<Reverse<Queued>>>,
    added: Cell<u64>,
}

impl Events {
    /// Adds an event that happens at `at_ns`.
    pub fn add(&self, at_ns: u64, event: Event) {
        let number = self.added.get();
        self.added.set(number + 1);
        self.heap.borrow_mut().push(Reverse(Queued {
            at_ns,
            number,
            event,
        }));
    }

    /// Returns the time of the next event, in ns.
    pub fn next_ns(&self) -> Option<u64> {
        self.heap.borrow().peek().map(|Reverse(next)| next.at_ns)
    }

    /// Takes the next event and its time, in ns.
    pub fn take(&self) -> Option<(u64, Event)> {
        let Reverse(next) = self.heap.borrow_mut().pop()?;
        Some((next.at_ns, next.event))
    }
}
