//! Segments without data that are sent for no socket: answers to a SYN, challenges, and duplicate acknowledgements.
//!
//! They go back to the hardware address from which the client's frames come.

use smoltcp::phy::{ChecksumCapabilities, TxToken};
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::path_mtu::MSS_MAX;
use crate::segment::{Local, Segment, SynOptions, address_of};
use crate::{Peer, socket_options};

/// A segment to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) peer: Peer,
    /// Hardware address that it goes to.
    pub(crate) mac: [u8; 6],
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    /// The options of the SYN that it answers, if it answers one.
    pub(crate) syn: Option<SynOptions>,
}

impl Answer {
    /// Returns the answer to a SYN. What it offers is what a rebuilt socket has.
    pub(crate) fn syn_ack(segment: &Segment, options: SynOptions, local_seq: u32) -> Self {
        Self {
            peer: segment.peer,
            mac: segment.mac,
            seq: local_seq,
            ack: segment.seq.wrapping_add(1),
            window: socket_options::SERVICE.receive_bytes as u16,
            syn: Some(options),
        }
    }

    /// Writes the segment into a frame, from the service at `local` with the hardware address `mac`.
    pub(crate) fn send(&self, token: impl TxToken, mac: EthernetAddress, local: Local) {
        let (peer, port) = address_of(self.peer);
        let ethernet = EthernetRepr {
            src_addr: mac,
            dst_addr: EthernetAddress(self.mac),
            ethertype: EthernetProtocol::Ipv4,
        };
        let tcp = TcpRepr {
            src_port: local.port,
            dst_port: port,
            control: match self.syn {
                Some(_) => TcpControl::Syn,
                None => TcpControl::None,
            },
            seq_number: TcpSeqNumber(self.seq.cast_signed()),
            ack_number: Some(TcpSeqNumber(self.ack.cast_signed())),
            window_len: self.window,
            // The own window is not scaled, but that has to be said, or the client's is not either.
            window_scale: self.syn.and_then(|syn| syn.window_scale).map(|_| 0),
            max_seg_size: self.syn.map(|_| MSS_MAX),
            sack_permitted: self.syn.is_some_and(|syn| syn.sack_permitted),
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let ip = Ipv4Repr {
            src_addr: local.address(),
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
                &IpAddress::Ipv4(local.address()),
                &IpAddress::Ipv4(peer),
                &checksums,
            );
        });
    }
}
