//! What the network needs to know of TCP segments that pass through the device.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Address, Ipv4Packet, TcpPacket,
};

use crate::Peer;
use crate::fact::WINDOW_SCALE_MAX;

/// Address and port of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) address: Ipv4Address,
    pub(crate) port: u16,
}

/// A segment that came in for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arriving {
    pub(crate) peer: Peer,
    pub(crate) seq: u32,
    /// Acknowledgement number; `None` for a segment that resets, whose number cannot be trusted.
    pub(crate) ack: Option<u32>,
    /// What it says if it asks for a connection.
    pub(crate) syn: Option<Syn>,
}

/// A client's SYN (RFC 9293, 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syn {
    pub(crate) mac: [u8; 6],
    pub(crate) seq: u32,
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
}

/// Returns the segment in a frame that came in, if it is for the service. The stack checks the checksums, this does
/// not.
pub(crate) fn arriving(frame: &[u8], local: Local) -> Option<Arriving> {
    let (ethernet, ip, tcp) = tcp_in(frame)?;
    if ip.dst_addr() != local.address || tcp.dst_port() != local.port {
        return None;
    }
    let syn = (tcp.syn() && !tcp.ack()).then(|| {
        let options = tcp.options_summary().unwrap_or_default();
        Syn {
            mac: ethernet.src_addr().0,
            seq: tcp.seq_number().0.cast_unsigned(),
            mss: options.max_segment_size.filter(|mss| *mss != 0),
            window_scale: options
                .window_scale
                .map(|scale| scale.min(WINDOW_SCALE_MAX)),
            sack_permitted: options.sack_permitted,
        }
    });
    Some(Arriving {
        peer: peer_of(ip.src_addr(), tcp.src_port()),
        seq: tcp.seq_number().0.cast_unsigned(),
        ack: (tcp.ack() && !tcp.rst()).then(|| tcp.ack_number().0.cast_unsigned()),
        syn,
    })
}

/// Returns client and sequence number of a frame that goes out, if it is a SYN-ACK.
pub(crate) fn leaving_syn_ack(frame: &[u8], local: Local) -> Option<(Peer, u32)> {
    let (_, ip, tcp) = tcp_in(frame)?;
    (tcp.syn() && tcp.ack() && tcp.src_port() == local.port).then(|| {
        (
            peer_of(ip.dst_addr(), tcp.dst_port()),
            tcp.seq_number().0.cast_unsigned(),
        )
    })
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

type Layers<'f> = (
    EthernetFrame<&'f [u8]>,
    Ipv4Packet<&'f [u8]>,
    TcpPacket<&'f [u8]>,
);

fn tcp_in(frame: &[u8]) -> Option<Layers<'_>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(frame.get(EthernetFrame::<&[u8]>::header_len()..)?).ok()?;
    // Only the first fragment has the TCP header, and the stack takes no fragments.
    if ip.next_header() != IpProtocol::Tcp || ip.more_frags() || ip.frag_offset() != 0 {
        return None;
    }
    let start = EthernetFrame::<&[u8]>::header_len() + usize::from(ip.header_len());
    let end = EthernetFrame::<&[u8]>::header_len() + usize::from(ip.total_len());
    let tcp = TcpPacket::new_checked(frame.get(start..end)?).ok()?;
    Some((ethernet, ip, tcp))
}
