//! A kernel to which frames are sent by hand.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpControl, TcpPacket,
};

use crate::forge::{CLIENT, CLIENT_MAC, Forged};
use crate::server::{self, Kernel, ServiceState};

/// A millisecond, in ns.
pub const MS: u64 = 1_000_000;

/// A segment that the service sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub port: u16,
    pub control: TcpControl,
    pub seq: u32,
    pub ack: u32,
    pub bytes: usize,
}

/// A kernel, and frames by hand.
pub struct Scene {
    pub kernel: Kernel,
    pub now_ns: u64,
}

/// A client that has connected.
#[derive(Clone, Copy)]
pub struct Client {
    pub port: u16,
    /// Sequence number of its next byte.
    pub seq: u32,
    /// Sequence number of the next byte from the service.
    pub ack: u32,
}

impl Client {
    /// Returns its next segment.
    pub fn segment(&self) -> Forged<'static> {
        Forged {
            seq: self.seq,
            ack: Some(self.ack),
            ..Forged::of(self.port)
        }
    }
}

impl Scene {
    pub fn new() -> Self {
        let mut scene = Self {
            kernel: Kernel::start(Vec::new(), MS, 7, None),
            now_ns: MS,
        };
        scene.know_client();
        scene
    }

    /// Sends an ARP request, so that the stack knows the hardware address of the clients.
    fn know_client(&mut self) {
        let mut arp = vec![0xff; 6];
        arp.extend(CLIENT_MAC.0);
        arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        arp.extend(CLIENT_MAC.0);
        arp.extend(CLIENT.octets());
        arp.extend([0; 6]);
        arp.extend(server::ADDRESS.octets());
        self.send([arp]);
    }

    /// Lets the kernel die, and a successor go on from its journal.
    pub fn take_over(&mut self) {
        let journal = std::mem::take(&mut self.kernel.server.journal);
        self.now_ns += 5 * MS;
        self.kernel = Kernel::start(journal, self.now_ns, 8, None);
        self.know_client();
    }

    /// Sends frames, and returns the segments that come back.
    pub fn send(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Sent> {
        self.send_raw(frames)
            .iter()
            .filter_map(|frame| sent(frame))
            .collect()
    }

    pub fn send_raw(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        self.now_ns += MS;
        let arrived = &mut self.kernel.network.device_mut().arrived;
        arrived.extend(frames);
        let mut leaving = self.kernel.round(self.now_ns);
        leaving.extend(self.kernel.round(self.now_ns + 10_000));
        leaving
    }

    /// Asks for a connection. Returns the answer.
    pub fn ask(&mut self, port: u16, seq: u32) -> Option<Sent> {
        let syn = Forged {
            control: TcpControl::Syn,
            seq,
            ..Forged::of(port)
        };
        let answers = self.send([syn.frame()]);
        answers
            .into_iter()
            .find(|it| it.port == port && it.control == TcpControl::Syn)
    }

    pub fn connect(&mut self, port: u16) -> Client {
        self.connect_with(port, 1000)
    }

    /// Connects with an initial sequence number.
    pub fn connect_with(&mut self, port: u16, seq: u32) -> Client {
        let answer = self.ask(port, seq).expect("the SYN is answered");
        let client = Client {
            port,
            seq: seq + 1,
            ack: answer.seq.wrapping_add(1),
        };
        self.send([client.segment().frame()]);
        assert!(self.is_connected(port));
        client
    }

    pub fn flows(&self) -> usize {
        ServiceState::of(&self.kernel.server.journal).flows.len()
    }

    pub fn is_connected(&self, port: u16) -> bool {
        let flows = ServiceState::of(&self.kernel.server.journal).flows;
        let [high, low] = port.to_be_bytes();
        flows
            .iter()
            .any(|(_, flow)| flow.peer()[4..] == [high, low] && flow.is_open())
    }

    /// Returns whether the service answers a byte of `client`.
    pub fn serves(&mut self, client: &mut Client) -> bool {
        let asks = Forged {
            bytes: b"x",
            control: TcpControl::Psh,
            ..client.segment()
        };
        client.seq = client.seq.wrapping_add(1);
        let answers = self.send([asks.frame()]);
        let answer = answers.iter().find(|it| it.bytes > 0);
        client.ack = client.ack.wrapping_add(1);
        answer.is_some_and(|it| (it.seq.wrapping_add(1), it.ack) == (client.ack, client.seq))
    }
}

fn sent(frame: &[u8]) -> Option<Sent> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 || ip.next_header() != IpProtocol::Tcp {
        return None;
    }
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    Some(Sent {
        port: tcp.dst_port(),
        control: match (tcp.syn(), tcp.rst(), tcp.fin()) {
            (true, ..) => TcpControl::Syn,
            (_, true, _) => TcpControl::Rst,
            (.., true) => TcpControl::Fin,
            _ => TcpControl::None,
        },
        seq: tcp.seq_number().0.cast_unsigned(),
        ack: tcp.ack_number().0.cast_unsigned(),
        bytes: tcp.payload().len(),
    })
}
