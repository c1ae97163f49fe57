//! The gate: what may leave the machine, and when.
//!
//! The TCP stack may emit acknowledgements and replies when it likes; the gate holds each frame until
//! [`Gate::release`]. The main loop calls that at the end of a round, when everything that was taken in before is
//! committed to the journal, and the gate opens only while the machine is in this instance's epoch. So nothing is
//! acknowledged that a successor would not know, and a primary that was superseded sends nothing.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use health::{Fault, STALL_NS_MAX, Stall};
use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use super::frame::{FRAME_BYTES_MAX, Frame};
use super::nic::NicDriver;

/// Buffers that a card may fill before the driver comes round.
const RECEIVE_BUFFERS: usize = 256;
/// The part of them that it gets when it is adopted: in a takeover, each delays the first reply.
const RECEIVE_BUFFERS_AT_FIRST: usize = 32;
/// Frames that may wait at the card until it has sent them.
const SENDING_FRAMES: usize = 256;
/// Frames that may wait at the gate; when it is full, the TCP stack keeps its data.
const WAITING_FRAMES_MAX: usize = 512;

/// The machine is no longer in this instance's epoch: nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded;

/// The gate, with the buffers that were made while the instance waited, and the card, once it is adopted.
pub struct Gate {
    card: Option<Box<dyn NicDriver>>,
    spare: Vec<Frame>,
    waiting: VecDeque<Frame>,
    /// Frames that were given to the card.
    sent: u64,
    /// Frames that the card has returned.
    reaped: u64,
    waiting_stall: Stall,
    reaping_stall: Stall,
}

impl Gate {
    /// Makes the gate without a card, and all buffers, so that adopting a card allocates none.
    pub fn prepare() -> Self {
        Self {
            card: None,
            spare: (0..RECEIVE_BUFFERS + SENDING_FRAMES)
                .map(|_| Frame::new())
                .collect(),
            waiting: VecDeque::with_capacity(WAITING_FRAMES_MAX),
            sent: 0,
            reaped: 0,
            waiting_stall: Stall::default(),
            reaping_stall: Stall::default(),
        }
    }

    /// Puts the gate before a card, which gets its first buffers.
    pub fn attach(&mut self, card: Box<dyn NicDriver>) {
        self.card = Some(card);
        self.give_buffers(RECEIVE_BUFFERS_AT_FIRST);
    }

    /// Drops the card, which is silent then. Frames that it had are lost, as on a cable.
    pub fn detach(&mut self) {
        self.card = None;
        self.reaped = self.sent;
        self.waiting_stall = Stall::default();
        self.reaping_stall = Stall::default();
    }

    /// Checks that the card can serve, and that frames leave.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&mut self, now_ns: u64) -> Result<(), Fault> {
        let Some(card) = &mut self.card else {
            return Ok(());
        };
        card.check()?;
        let waits = !self.waiting.is_empty();
        if self.waiting_stall.look(now_ns, waits, self.sent) > STALL_NS_MAX {
            return Err(Fault::FramesWait);
        }
        let is_at_the_card = self.sent != self.reaped;
        if self.reaping_stall.look(now_ns, is_at_the_card, self.reaped) > STALL_NS_MAX {
            return Err(Fault::NotReaped);
        }
        Ok(())
    }

    /// Gives the card the rest of the buffers. Once, when nobody waits for a reply.
    pub fn deepen(&mut self) {
        self.give_buffers(RECEIVE_BUFFERS - RECEIVE_BUFFERS_AT_FIRST);
    }

    fn give_buffers(&mut self, count: usize) {
        let Some(card) = &mut self.card else { return };
        for _ in 0..count {
            if let Err(buffer) = card.give(self.spare.pop().unwrap_or_else(Frame::new)) {
                self.spare.push(buffer);
                return;
            }
        }
    }

    /// Returns whether a frame has arrived.
    pub fn has_received(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.has_received())
    }

    /// Opens the gate: hands the waiting frames to the card, as far as its queue takes them. Returns how many left.
    ///
    /// The caller has committed everything that it took in.
    ///
    /// # Errors
    /// [`Superseded`], if this instance does not own the machine: the frames are discarded.
    #[inline(never)] // `DEBUG BREAK gate` overwrites it.
    pub fn release(&mut self, is_primary: bool) -> Result<usize, Superseded> {
        if !is_primary {
            self.waiting.clear();
            return Err(Superseded);
        }
        let Some(card) = &mut self.card else {
            return Ok(0);
        };
        while let Some(sent) = card.take_sent() {
            self.spare.push(sent);
            self.reaped += 1;
        }
        let mut released = 0;
        while card.can_send() {
            let Some(frame) = self.waiting.pop_front() else {
                break;
            };
            card.send(frame);
            released += 1;
        }
        self.sent += released as u64;
        Ok(released)
    }

    /// Returns whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A frame that has arrived; its buffer goes back to the card when the stack has seen it.
pub struct RxToken<'a> {
    frame: Frame,
    card: &'a mut dyn NicDriver,
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        let result = work(self.frame.bytes());
        // The card has room: it has just returned this buffer.
        let _ = self.card.give(self.frame);
        result
    }
}

/// A place for a frame at the gate.
pub struct TxToken<'a> {
    spare: &'a mut Vec<Frame>,
    waiting: &'a mut VecDeque<Frame>,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let mut frame = self.spare.pop().unwrap_or_else(Frame::new);
        frame.set_len(length);
        let result = work(frame.bytes_mut());
        self.waiting.push_back(frame);
        result
    }
}

impl phy::Device for Gate {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        if self.waiting.len() >= WAITING_FRAMES_MAX {
            return None;
        }
        let card = self.card.as_deref_mut()?;
        let frame = card.receive()?;
        let place = TxToken {
            spare: &mut self.spare,
            waiting: &mut self.waiting,
        };
        Some((RxToken { frame, card }, place))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        (self.waiting.len() < WAITING_FRAMES_MAX).then_some(TxToken {
            spare: &mut self.spare,
            waiting: &mut self.waiting,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities
    }
}
