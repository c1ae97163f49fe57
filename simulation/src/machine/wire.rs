//! The network: frames between clients and the network card, and the card itself.
//!
//! A transport of the simplest kind that TCP could be replaced by: each side says from which byte of its stream on it sends, and how much of the other's it
//! has. Frames may be lost, come twice, or late. What TCP itself does when a kernel dies is tested in `network`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// A frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The client that it comes from or goes to.
    pub client: usize,
    /// Where its bytes begin in their stream.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// So many bytes of the other stream are known to have come.
    pub ack: u64,
    /// The epoch of the owner that sends it, for the checks; 0 from a client.
    pub epoch: u64,
}

/// The network card.
#[derive(Default)]
pub struct Card {
    /// The incarnation that drives it, if one does: it masters the bus for it.
    pub driver: Cell<Option<u32>>,
    /// Frames that came in and were not fetched. The card writes them into its driver's memory.
    pub received: RefCell<VecDeque<Frame>>,
}

impl Card {
    /// A driver resets it and takes it.
    pub fn adopt(&self, incarnation: u32) {
        self.driver.set(Some(incarnation));
        self.received.borrow_mut().clear();
    }

    /// It masters the bus no more.
    pub fn quiet(&self) {
        self.driver.set(None);
        self.received.borrow_mut().clear();
    }
}
