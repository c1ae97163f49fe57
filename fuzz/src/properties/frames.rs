//! Whatever frames arrive, the facts that go into the journal follow one another, and a kernel can go on from them.
//!
//! An input is a sequence of acts: a frame of any bytes; a segment of one of four clients, near to where its connection
//! stands; several of them at once; a router's word that a segment was too long; time that passes; and the death of the
//! kernel.

use arbitrary::{Result, Unstructured};
use network::{Network, NetworkConfig};

use crate::echo_server::{ADDRESS, EchoServer, MAC, PORT, UNACKED_BYTES_MAX, take_over};
use crate::round_trip;
use network::testing::FakeCard;

const CLIENTS: usize = 4;
const ROUNDS_MAX: u32 = 64;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let mut server = EchoServer::new();
    let mut scene = Scene {
        network: started(&server, 1),
        now_ns: 1_000_000,
        clients: [Client::default(); CLIENTS],
    };
    let mut input = Unstructured::new(data);
    for _ in 0..ROUNDS_MAX {
        if input.is_empty() || scene.act(&mut input, &mut server).is_err() {
            break;
        }
        scene.round(&mut server);
    }
    round_trip::check_flows(&server.flows, UNACKED_BYTES_MAX);
}

/// Starts a kernel that goes on from the journal.
fn started(server: &EchoServer, seed: u64) -> Network<FakeCard> {
    let config = NetworkConfig {
        address: ADDRESS,
        prefix_len: 24,
        gateway: None,
        port: PORT,
        seed,
        connections_max: 8,
    };
    let card = FakeCard {
        ignores_checksums: true,
        ..FakeCard::default()
    };
    let mut network = Network::prepare(card, &config);
    take_over(&mut network, server);
    network
}

/// The state of a client's connection.
#[derive(Clone, Copy, Default)]
struct Client {
    seq: u32,
    /// The sequence number that it expects next.
    ack: u32,
}

struct Scene {
    network: Network<FakeCard>,
    now_ns: u64,
    clients: [Client; CLIENTS],
}

impl Scene {
    fn act(&mut self, input: &mut Unstructured<'_>, server: &mut EchoServer) -> Result<()> {
        let kind = input.arbitrary::<u8>()?;
        let client = usize::from(kind >> 4) % CLIENTS;
        match kind % 8 {
            0 => {
                let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
                let mut frame = MAC.to_vec();
                frame.extend_from_slice(input.bytes(length)?);
                self.arrive(frame);
            }
            1 => self.now_ns += u64::from(input.arbitrary::<u16>()?) << 24,
            2 => {
                // The kernel dies, and its sockets are lost.
                self.network = started(server, input.arbitrary()?);
            }
            3 => {
                let frame = self.too_long(client, input)?;
                self.arrive(frame);
            }
            4 => {
                for _ in 0..2 {
                    let segment = self.segment(client, input)?;
                    self.arrive(segment);
                }
            }
            _ => {
                let segment = self.segment(client, input)?;
                self.arrive(segment);
            }
        }
        Ok(())
    }

    fn arrive(&mut self, frame: Vec<u8>) {
        self.network.device_mut().arrived.push_back(frame);
    }

    fn round(&mut self, server: &mut EchoServer) {
        self.now_ns += 1_000_000;
        self.network.ingress(self.now_ns, server);
        self.network.report(self.now_ns, server);
        self.network.egress(self.now_ns, server);
        assert_eq!(self.network.take_complaint(), None);
        let _ = self.network.due_ns(self.now_ns);
        let leaving = std::mem::take(&mut self.network.device_mut().leaving);
        assert!(leaving.len() <= 1000, "{} frames in a round", leaving.len());
        leaving.iter().for_each(|frame| self.hear(frame));
    }

    /// Takes the frames that are sent to a client.
    fn hear(&mut self, frame: &[u8]) {
        let Some(tcp) = frame.get(34..54).filter(|_| frame[12..14] == [8, 0]) else {
            return;
        };
        let port = usize::from(u16::from_be_bytes([tcp[2], tcp[3]]));
        if let Some(client) = self.clients.get_mut(port.wrapping_sub(1000)) {
            let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            let is_syn = tcp[13] & 2 != 0;
            let payload = frame.len() as u32 - 34 - u32::from(tcp[12] >> 4) * 4;
            client.ack = seq.wrapping_add(payload).wrapping_add(is_syn.into());
        }
    }

    /// Sends a segment. The input gives flags, deviations, window, options and the number of bytes.
    fn segment(&mut self, number: usize, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let [flags, seq_off, ack_off, shape] = input.arbitrary::<[u8; 4]>()?;
        let is_syn = flags & 2 != 0;
        let client = &mut self.clients[number];
        let off = |number: u32, off: u8| {
            number.wrapping_add(i32::from(off.cast_signed()).cast_unsigned())
        };
        let (seq, ack) = (off(client.seq, seq_off), off(client.ack, ack_off));
        let options = usize::from(shape % 4) * 4;
        let options = input.bytes(options.min(input.len() & !3))?;
        let payload = usize::from(shape >> 2).min(input.len());
        let payload = input.bytes(payload)?;
        client.seq = seq
            .wrapping_add(payload.len() as u32)
            .wrapping_add(is_syn.into());
        let mut tcp = vec![3, 0xe8 + number as u8];
        tcp.extend(PORT.to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([(5 + options.len() as u8 / 4) << 4, flags & 0x3f]);
        tcp.extend([0xff, 0, 0, 0, 0, 0]);
        tcp.extend_from_slice(options);
        tcp.extend_from_slice(payload);
        Ok(ipv4(6, &tcp))
    }

    /// Says that a segment near to what a client expects next was too long. The input gives the length that is not.
    fn too_long(&self, number: usize, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let mtu = input.arbitrary::<u16>()?;
        let seq = self.clients[number]
            .ack
            .wrapping_sub(input.arbitrary::<u16>()?.into());
        let mut message = vec![3, 4, 0, 0, 0, 0];
        message.extend(mtu.to_be_bytes());
        // The quoted header, with a length of 1500 bytes.
        message.extend([0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 64, 6, 0, 0]);
        message.extend(ADDRESS.octets());
        message.extend([10, 0, 2, 2]);
        message.extend(PORT.to_be_bytes());
        message.extend([3, 0xe8 + number as u8]);
        message.extend(seq.to_be_bytes());
        Ok(ipv4(1, &message))
    }
}

/// Returns a frame with this payload of IPv4, from 10.0.2.2.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = MAC.to_vec();
    frame.extend([0x52, 0x55, 10, 0, 2, 2, 8, 0]);
    frame.extend([0x45, 0]);
    frame.extend((20 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 2, 2]);
    frame.extend(ADDRESS.octets());
    frame.extend_from_slice(payload);
    frame
}
