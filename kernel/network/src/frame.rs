//! Devices that wrap the real one: one holds a single received frame, one notes what leaves, one leaves checksums to
//! us.

use smoltcp::phy::{Checksum, Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::segment::end_of_leaving;

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

/// A device that only sends, and notes how far the segments reach that leave.
pub(crate) struct Tapped<'d, D> {
    pub(crate) device: &'d mut D,
    /// The highest sequence number behind a segment that left.
    pub(crate) end: Option<u32>,
}

/// A token whose frame is looked at before it leaves.
pub(crate) struct TappedToken<'a, T> {
    token: T,
    end: &'a mut Option<u32>,
}

impl<T: TxToken> TxToken for TappedToken<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let noted = self.end;
        self.token.consume(length, |frame| {
            let result = work(frame);
            if let Some(end) = end_of_leaving(frame)
                && noted.is_none_or(|noted| end.wrapping_sub(noted).cast_signed() > 0)
            {
                *noted = Some(end);
            }
            result
        })
    }
}

impl<D: Device> Device for Tapped<'_, D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TappedToken<'a, D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        None
    }

    fn transmit(&mut self, timestamp: Instant) -> Option<Self::TxToken<'_>> {
        let token = self.device.transmit(timestamp)?;
        Some(TappedToken {
            token,
            end: &mut self.end,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.device.capabilities()
    }
}

/// A device whose frames are verified already when the stack gets them. An interface takes its capabilities from it.
pub(crate) struct Verified<'d, D>(pub(crate) &'d mut D);

impl<D: Device> Device for Verified<'_, D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = D::TxToken<'a>
    where
        Self: 'a;

    fn receive(&mut self, timestamp: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.0.receive(timestamp)
    }

    fn transmit(&mut self, timestamp: Instant) -> Option<Self::TxToken<'_>> {
        self.0.transmit(timestamp)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.0.capabilities();
        let checksums = &mut capabilities.checksum;
        for checksum in [
            &mut checksums.ipv4,
            &mut checksums.tcp,
            &mut checksums.icmpv4,
        ] {
            *checksum = match checksum.tx() {
                true => Checksum::Tx,
                false => Checksum::None,
            };
        }
        capabilities
    }
}
