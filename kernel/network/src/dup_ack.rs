//! Duplicate acknowledgements: they make a client send again what may have been lost with the dead kernel.
//!
//! A request that had reached the dead kernel's memory but not its journal was received by nobody. Its client would
//! send it again after its retransmission time-out, which is a fifth of a second or more. Three acknowledgements of
//! the same byte make it do so at once (RFC 5681, 3.2). A client that misses nothing ignores them.

use smoltcp::phy::{ChecksumCapabilities, Device, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::flow::Flow;
use crate::segment::{Local, address_of};

/// Number of acknowledgements that make a sender send again.
pub(crate) const COUNT: u8 = 3;

/// Sends one acknowledgement of what came in on `flow`, which has no unacknowledged replies. Returns false if the
/// device has no room for it.
pub(crate) fn send<D: Device>(
    device: &mut D,
    mac: EthernetAddress,
    local: Local,
    flow: &Flow,
    window: u16,
    now: Instant,
) -> bool {
    let Some(token) = device.transmit(now) else {
        return false;
    };
    let (peer, port) = address_of(flow.peer);
    let ethernet = EthernetRepr {
        src_addr: mac,
        dst_addr: EthernetAddress(flow.handshake.peer_mac),
        ethertype: EthernetProtocol::Ipv4,
    };
    let tcp = TcpRepr {
        src_port: local.port,
        dst_port: port,
        control: TcpControl::None,
        seq_number: TcpSeqNumber(flow.first_out().cast_signed()),
        ack_number: Some(TcpSeqNumber(flow.next_in().cast_signed())),
        window_len: window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let ip = Ipv4Repr {
        src_addr: local.address,
        dst_addr: peer,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let checksums = ChecksumCapabilities::default();
    let ip_at = ethernet.buffer_len();
    let tcp_at = ip_at + ip.buffer_len();
    token.consume(tcp_at + tcp.buffer_len(), |frame| {
        ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
        ip.emit(
            &mut Ipv4Packet::new_unchecked(&mut frame[ip_at..]),
            &checksums,
        );
        tcp.emit(
            &mut TcpPacket::new_unchecked(&mut frame[tcp_at..]),
            &IpAddress::Ipv4(local.address),
            &IpAddress::Ipv4(peer),
            &checksums,
        );
    });
    true
}
