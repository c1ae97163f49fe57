//! Frames made by hand: what routers and attackers send.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, Ipv4Address,
    Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::server;

/// Hardware address of the clients' machine.
pub const CLIENT_MAC: EthernetAddress = EthernetAddress([0x52, 0x55, 10, 0, 2, 2]);
/// Address of the clients' machine.
pub const CLIENT: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// A segment of a client.
#[derive(Clone, Copy, Debug)]
pub struct Forged<'a> {
    pub address: Ipv4Address,
    pub port: u16,
    pub control: TcpControl,
    pub seq: u32,
    pub ack: Option<u32>,
    pub window: u16,
    pub bytes: &'a [u8],
}

impl Forged<'_> {
    /// Makes a segment that says nothing, of a client at `port`.
    pub fn of(port: u16) -> Self {
        Self {
            address: CLIENT,
            port,
            control: TcpControl::None,
            seq: 0,
            ack: None,
            window: 60_000,
            bytes: &[],
        }
    }

    /// Returns the frame, with right checksums.
    pub fn frame(&self) -> Vec<u8> {
        let tcp = TcpRepr {
            src_port: self.port,
            dst_port: server::PORT,
            control: self.control,
            seq_number: TcpSeqNumber(self.seq.cast_signed()),
            ack_number: self.ack.map(|ack| TcpSeqNumber(ack.cast_signed())),
            window_len: self.window,
            window_scale: None,
            max_seg_size: (self.control == TcpControl::Syn).then_some(1460),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: self.bytes,
        };
        let mut payload = vec![0; tcp.buffer_len()];
        tcp.emit(
            &mut TcpPacket::new_unchecked(&mut payload[..]),
            &self.address.into(),
            &server::ADDRESS.into(),
            &ChecksumCapabilities::default(),
        );
        packet(self.address, IpProtocol::Tcp, &payload)
    }
}

/// Returns the message of a router that the packet in `frame` is longer than `mtu` (RFC 1191, 4).
pub fn too_long(frame: &[u8], mtu: u16) -> Vec<u8> {
    let mut message = vec![3, 4, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(&frame[14..14 + 28]);
    let mut icmp = smoltcp::wire::Icmpv4Packet::new_unchecked(&mut message[..]);
    icmp.fill_checksum();
    packet(Ipv4Address::new(10, 0, 2, 1), IpProtocol::Icmp, &message)
}

fn packet(source: Ipv4Address, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let ethernet = EthernetRepr {
        src_addr: CLIENT_MAC,
        dst_addr: EthernetAddress(server::MAC),
        ethertype: EthernetProtocol::Ipv4,
    };
    let ip = Ipv4Repr {
        src_addr: source,
        dst_addr: server::ADDRESS,
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 64,
    };
    let mut frame = vec![0; 34];
    ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    ip.emit(
        &mut Ipv4Packet::new_unchecked(&mut frame[14..]),
        &ChecksumCapabilities::default(),
    );
    frame.extend_from_slice(payload);
    frame
}
