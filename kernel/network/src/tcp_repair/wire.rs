//! The device of the rebuilding interface: packets without checksums, one in each direction.

use alloc::vec::Vec;

use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{IPV4_HEADER_LEN, TcpPacket};

/// The longest packet, in bytes. Packets carry no data.
const PACKET_BYTES: usize = 1500;

/// The device.
#[derive(Default)]
pub(super) struct Wire {
    arriving: Vec<u8>,
    has_arrived: bool,
    leaving: Vec<u8>,
    /// Sequence number of the last segment that left.
    left_seq: Option<u32>,
}

impl Wire {
    /// Lets a packet of `bytes` bytes arrive. Returns where to write it.
    pub(super) fn arrive(&mut self, bytes: usize) -> &mut [u8] {
        self.has_arrived = true;
        self.arriving.resize(bytes, 0);
        &mut self.arriving
    }

    /// Returns the sequence number of the last segment that left, once.
    pub(super) fn take_left_seq(&mut self) -> Option<u32> {
        self.left_seq.take()
    }
}

pub(super) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(self.0)
    }
}

pub(super) struct TxToken<'a> {
    packet: &'a mut Vec<u8>,
    seq: &'a mut Option<u32>,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        self.packet.resize(length, 0);
        let result = work(self.packet);
        let tcp = self.packet.get(IPV4_HEADER_LEN..).unwrap_or_default();
        let tcp = TcpPacket::new_checked(tcp).ok();
        *self.seq = tcp.map(|tcp| tcp.seq_number().0.cast_unsigned());
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let has_arrived = core::mem::take(&mut self.has_arrived);
        let answer = TxToken {
            packet: &mut self.leaving,
            seq: &mut self.left_seq,
        };
        has_arrived.then_some((RxToken(&self.arriving), answer))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken {
            packet: &mut self.leaving,
            seq: &mut self.left_seq,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = PACKET_BYTES;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}
