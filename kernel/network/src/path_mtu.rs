//! Path MTU discovery (RFC 1191): a router on the way says that a packet of ours is too long for it.
//!
//! Anybody can send such a message. So it counts only if it quotes a segment that is under way, with a length above the
//! named one; it can only lower the MTU, and to [`MTU_MIN`] at least (RFC 5927, 7).

use smoltcp::wire::{IPV4_HEADER_LEN, Ipv4Packet, TCP_HEADER_LEN};

use crate::Peer;
use crate::segment::{Local, peer_of};

/// The lowest MTU that is believed, in bytes: every host takes packets of this length (RFC 1122, 3.3.3).
pub(crate) const MTU_MIN: u16 = 576;
/// Bytes of a packet that are no data: both headers, without options.
pub(crate) const HEADER_BYTES: u16 = (IPV4_HEADER_LEN + TCP_HEADER_LEN) as u16;
/// The longest data of a segment on Ethernet, in bytes.
pub(crate) const MSS_MAX: u16 = 1500 - HEADER_BYTES;

/// MTUs that are common, for routers that name none (RFC 1191, 7).
const PLATEAUS: [u16; 4] = [1492, 1280, 1006, MTU_MIN];

/// Type and code of "fragmentation needed and DF set" (RFC 792).
const FRAGMENTATION_NEEDED: [u8; 2] = [3, 4];
/// Where the MTU of the next hop stands in a message (RFC 1191, 4).
const MTU_AT: usize = 6;
/// Where the packet that it is about is quoted: its header, and 8 bytes at least.
const QUOTED_AT: usize = 8;

/// A packet of ours was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// To whom it was on its way.
    pub(crate) peer: Peer,
    /// Its sequence number.
    pub(crate) seq: u32,
    /// Length that is not too long, in bytes.
    pub(crate) mtu: u16,
}

impl TooLong {
    /// Returns what an ICMP message says, if it is about a segment of the service.
    pub(crate) fn of(message: &[u8], local: Local) -> Option<Self> {
        if message.get(..2)? != FRAGMENTATION_NEEDED {
            return None;
        }
        let named: [u8; 2] = message.get(MTU_AT..QUOTED_AT)?.try_into().ok()?;
        // The quoted packet is cut off, so that its length says nothing.
        let quoted = message.get(QUOTED_AT..)?;
        quoted.get(..IPV4_HEADER_LEN)?;
        let ip = Ipv4Packet::new_unchecked(quoted);
        let header_bytes = usize::from(ip.header_len());
        let &[source_high, source_low, high, low, a, b, c, d, ..] = quoted.get(header_bytes..)?
        else {
            return None;
        };
        let is_ours = ip.version() == 4
            && header_bytes >= IPV4_HEADER_LEN
            && u8::from(ip.next_header()) == 6
            && ip.src_addr() == local.address()
            && u16::from_be_bytes([source_high, source_low]) == local.port;
        let mtu = match u16::from_be_bytes(named) {
            0 => PLATEAUS.into_iter().find(|mtu| *mtu < ip.total_len())?,
            named => named,
        };
        (is_ours && ip.total_len() > mtu).then(|| Self {
            peer: peer_of(ip.dst_addr(), u16::from_be_bytes([high, low])),
            seq: u32::from_be_bytes([a, b, c, d]),
            mtu: mtu.max(MTU_MIN),
        })
    }
}
