//! What a frame that arrived is. Nothing acts on a frame before it was checked here, once.
//!
//! An IPv4 packet passes if it is whole, unfragmented, from one host to this one, and if its checksums are right: that
//! of its header, and that of the TCP segment or ICMP message in it. Other protocols are dropped. Options of IPv4 are
//! skipped: no source route is followed, as replies are sent by the own routes. ARP has no checksum; the stack takes
//! only requests and replies for the own address, from one host of the own network.

use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv4Packet, IpAddress, IpProtocol,
    Ipv4Address, Ipv4Packet, TcpPacket,
};

use crate::path_mtu::TooLong;
use crate::segment::{Local, Segment};

/// Shortest header of IPv4, in bytes.
const IPV4_HEADER_BYTES: u8 = 20;

/// A frame that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A segment for the service.
    Segment(Segment),
    /// A router's message that a packet of ours is too long.
    TooLong(TooLong),
    /// Something else that the stack may take: ARP, a ping, a segment for another port.
    Other,
    /// Nothing that anybody may act on.
    Invalid,
}

impl Input {
    /// Checks a frame that arrived at the card with the address `mac`. A card that ignores checksums is one of a test.
    pub(crate) fn of(
        frame: &[u8],
        mac: EthernetAddress,
        local: Local,
        has_checksums: bool,
    ) -> Self {
        Self::checked(frame, mac, local, has_checksums).unwrap_or(Self::Invalid)
    }

    fn checked(
        frame: &[u8],
        mac: EthernetAddress,
        local: Local,
        has_checksums: bool,
    ) -> Option<Self> {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        match ethernet.ethertype() {
            EthernetProtocol::Arp => return Some(Self::Other),
            EthernetProtocol::Ipv4 => {}
            _ => return None,
        }
        if ethernet.dst_addr() != mac || !ethernet.src_addr().is_unicast() {
            return None;
        }
        let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
        let is_whole = ip.version() == 4
            && ip.header_len() >= IPV4_HEADER_BYTES
            && !ip.more_frags()
            && ip.frag_offset() == 0;
        if !is_whole || (has_checksums && !ip.verify_checksum()) {
            return None;
        }
        let (source, own) = (ip.src_addr(), local.address());
        if ip.dst_addr() != own || source == own || !is_host(source, local) {
            return None;
        }
        match ip.next_header() {
            IpProtocol::Tcp => {
                let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
                let (from, to) = (IpAddress::Ipv4(source), IpAddress::Ipv4(own));
                if tcp.src_port() == 0 || (has_checksums && !tcp.verify_checksum(&from, &to)) {
                    return None;
                }
                // No more than one of these at a time.
                if u8::from(tcp.syn()) + u8::from(tcp.fin()) + u8::from(tcp.rst()) > 1 {
                    return None;
                }
                Some(match tcp.dst_port() == local.port {
                    true => Self::Segment(Segment::of(ethernet.src_addr().0, source, &tcp)),
                    false => Self::Other,
                })
            }
            IpProtocol::Icmp => {
                let icmp = Icmpv4Packet::new_checked(ip.payload()).ok()?;
                if has_checksums && !icmp.verify_checksum() {
                    return None;
                }
                Some(TooLong::of(ip.payload(), local).map_or(Self::Other, Self::TooLong))
            }
            _ => None,
        }
    }
}

/// Returns whether `address` is that of one host.
fn is_host(address: Ipv4Address, local: Local) -> bool {
    !address.is_multicast()
        && !address.is_broadcast()
        && !address.is_unspecified()
        && !address.is_loopback()
        && local.network.broadcast() != Some(address)
}
