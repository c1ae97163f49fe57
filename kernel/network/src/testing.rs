//! A test double of a network card, for this crate's tests and those of others: enabled by the feature `testing`.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// A network card without a cable: a test puts frames in and takes frames out.
#[derive(Default)]
pub struct FakeCard {
    /// Frames that arrived and were not read yet.
    pub arrived: VecDeque<Vec<u8>>,
    /// Frames to be sent.
    pub leaving: Vec<Vec<u8>>,
    /// Checksums are neither checked nor computed: hostile frames reach what lies behind the check.
    pub ignores_checksums: bool,
}

/// A frame that arrived.
pub struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(&self.0)
    }
}

/// Room for a frame to be sent.
pub struct TxToken<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let mut frame = vec![0; length];
        let result = work(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for FakeCard {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let frame = self.arrived.pop_front()?;
        Some((RxToken(frame), TxToken(&mut self.leaving)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        if self.ignores_checksums {
            capabilities.checksum = ChecksumCapabilities::ignored();
        }
        capabilities
    }
}
