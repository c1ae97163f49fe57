//! Devices around the device: one that holds a single frame, and one that reads what goes out.

use smoltcp::phy::{Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::Peer;
use crate::segment::{Local, leaving_syn_ack};

/// A device that has received one frame, and has room for one answer to it.
pub(crate) struct OneFrame<'f, T> {
    pub(crate) frame: Option<&'f [u8]>,
    pub(crate) answer: Option<T>,
    pub(crate) capabilities: DeviceCapabilities,
}

/// The frame.
pub(crate) struct Whole<'f>(&'f [u8]);

impl RxToken for Whole<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(self.0)
    }
}

impl<'f, T: TxToken> Device for OneFrame<'f, T> {
    type RxToken<'a>
        = Whole<'f>
    where
        Self: 'a;
    type TxToken<'a>
        = T
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Whole<'f>, T)> {
        Some((Whole(self.frame.take()?), self.answer.take()?))
    }

    fn transmit(&mut self, _: Instant) -> Option<T> {
        self.answer.take()
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// A device that only sends, and tells of every answer to a client's SYN.
pub(crate) struct Tapped<'d, D, S> {
    pub(crate) device: &'d mut D,
    pub(crate) local: Local,
    /// Gets the client, and our initial sequence number.
    pub(crate) syn_ack: S,
}

/// Room for a frame that is read before it leaves.
pub(crate) struct TappedRoom<'a, T, S> {
    room: T,
    local: Local,
    syn_ack: &'a mut S,
}

impl<T: TxToken, S: FnMut(Peer, u32)> TxToken for TappedRoom<'_, T, S> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let (local, syn_ack) = (self.local, self.syn_ack);
        self.room.consume(length, |frame| {
            let result = work(frame);
            if let Some((peer, seq)) = leaving_syn_ack(frame, local) {
                syn_ack(peer, seq);
            }
            result
        })
    }
}

impl<D: Device, S: FnMut(Peer, u32)> Device for Tapped<'_, D, S> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TappedRoom<'a, D::TxToken<'a>, S>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        None
    }

    fn transmit(&mut self, timestamp: Instant) -> Option<Self::TxToken<'_>> {
        let room = self.device.transmit(timestamp)?;
        Some(TappedRoom {
            room,
            local: self.local,
            syn_ack: &mut self.syn_ack,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}
