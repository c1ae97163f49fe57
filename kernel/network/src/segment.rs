//! Segments: those that arrive for the service, and where those that leave end.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Address, Ipv4Cidr, Ipv4Packet, TcpPacket,
};

use crate::Peer;
use crate::fact::WINDOW_SCALE_MAX;

/// Address, network and port of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) network: Ipv4Cidr,
    pub(crate) port: u16,
}

impl Local {
    /// Returns the own address.
    pub(crate) fn address(&self) -> Ipv4Address {
        self.network.address()
    }
}

/// A segment that came in for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) peer: Peer,
    /// Hardware address that it came from.
    pub(crate) mac: [u8; 6],
    pub(crate) seq: u32,
    /// Acknowledgement number.
    pub(crate) ack: Option<u32>,
    pub(crate) is_reset: bool,
    /// What it asks for if it is a SYN.
    pub(crate) syn: Option<SynOptions>,
}

/// The options of a client's SYN (RFC 9293, 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SynOptions {
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
}

impl Segment {
    /// Returns what `tcp` says, from `address` behind `mac`.
    pub(crate) fn of(mac: [u8; 6], address: Ipv4Address, tcp: &TcpPacket<&[u8]>) -> Self {
        let syn = tcp.syn().then(|| {
            let options = tcp.options_summary().unwrap_or_default();
            let scale = options.window_scale;
            SynOptions {
                mss: options.max_segment_size.filter(|mss| *mss != 0),
                window_scale: scale.map(|scale| scale.min(WINDOW_SCALE_MAX)),
                sack_permitted: options.sack_permitted,
            }
        });
        Self {
            peer: peer_of(address, tcp.src_port()),
            mac,
            seq: tcp.seq_number().0.cast_unsigned(),
            ack: tcp.ack().then(|| tcp.ack_number().0.cast_unsigned()),
            is_reset: tcp.rst(),
            syn,
        }
    }
}

/// Returns the sequence number behind the segment in a frame of our own.
pub(crate) fn end_of_leaving(frame: &[u8]) -> Option<u32> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
    if ip.next_header() != IpProtocol::Tcp {
        return None;
    }
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    let seq = tcp.seq_number().0.cast_unsigned();
    Some(seq.wrapping_add(tcp.segment_len() as u32))
}

/// Packs a client's address and port.
pub(crate) fn peer_of(address: Ipv4Address, port: u16) -> Peer {
    let ([a, b, c, d], [high, low]) = (address.octets(), port.to_be_bytes());
    [a, b, c, d, high, low]
}

/// Returns a client's address and port.
pub(crate) fn address_of(peer: Peer) -> (Ipv4Address, u16) {
    let [a, b, c, d, high, low] = peer;
    (
        Ipv4Address::new(a, b, c, d),
        u16::from_be_bytes([high, low]),
    )
}
