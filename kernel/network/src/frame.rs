//! Two devices that wrap the real one: the first holds a single received frame, the second reports SYN-ACKs that go
//! out.

use smoltcp::phy::{Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::Peer;
use crate::segment::{Local, leaving_syn_ack};

/// A device that has received one frame and can send one answer to it.
pub(crate) struct OneFrame<'f, T> {
    pub(crate) frame: Option<&'f [u8]>,
    pub(crate) answer: Option<T>,
    pub(crate) capabilities: DeviceCapabilities,
}

/// The frame that was received.
pub(crate) struct Received<'f>(&'f [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(self.0)
    }
}

impl<'f, T: TxToken> Device for OneFrame<'f, T> {
    type RxToken<'a>
        = Received<'f>
    where
        Self: 'a;
    type TxToken<'a>
        = T
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Received<'f>, T)> {
        Some((Received(self.frame.take()?), self.answer.take()?))
    }

    fn transmit(&mut self, _: Instant) -> Option<T> {
        self.answer.take()
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// A device that only sends, and reports every SYN-ACK.
pub(crate) struct Tapped<'d, D, S> {
    pub(crate) device: &'d mut D,
    pub(crate) local: Local,
    /// Called with the client and our initial sequence number.
    pub(crate) syn_ack: S,
}

/// A token whose frame is looked at before it leaves.
pub(crate) struct TappedToken<'a, T, S> {
    token: T,
    local: Local,
    syn_ack: &'a mut S,
}

impl<T: TxToken, S: FnMut(Peer, u32)> TxToken for TappedToken<'_, T, S> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let (local, syn_ack) = (self.local, self.syn_ack);
        self.token.consume(length, |frame| {
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
        = TappedToken<'a, D::TxToken<'a>, S>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        None
    }

    fn transmit(&mut self, timestamp: Instant) -> Option<Self::TxToken<'_>> {
        let token = self.device.transmit(timestamp)?;
        Some(TappedToken {
            token,
            local: self.local,
            syn_ack: &mut self.syn_ack,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}
