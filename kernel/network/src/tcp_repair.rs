//! A socket out of a flow.
//!
//! `smoltcp` has no way to set a socket's state, so the socket is led there: it connects on an interface of its own, and is told what a client that
//! listens would tell it. From which side a connection began, neither end knows once it is open, and this is the way with the fewest segments. The client's
//! sequence numbers are free to choose; ours is the second random number of the interface that it connects on, so the generator's seed is chosen for it.
//! Tests, and a look at the first answer, guard against a generator that is another one some day.

use alloc::vec::Vec;

use smoltcp::iface::{Config, Interface};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IPV4_HEADER_LEN, IpAddress, IpCidr, IpProtocol, Ipv4Packet, Ipv4Repr,
    TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::flow::Flow;
use crate::segment::{Local, address_of};
use crate::single::Single;

/// Longest segment of a client that names no length (RFC 9293, 3.7.1).
const DEFAULT_MSS: u16 = 536;
/// Longest packet on the interface, in bytes: it carries no data.
const PACKET_BYTES: usize = 1500;

/// Where sockets are led to what they had been: an interface of its own, made once and used for all.
pub(crate) struct SocketRebuilder {
    local: Local,
    wire: Wire,
    interface: Interface,
}

impl SocketRebuilder {
    pub(crate) fn new(local: Local) -> Self {
        let mut wire = Wire::default();
        let mut interface =
            Interface::new(Config::new(HardwareAddress::Ip), &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // The list is empty, so there is room.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(local.address), 0));
        });
        Self {
            local,
            wire,
            interface,
        }
    }

    /// Makes of `socket` the one that `flow` had, but for what is owed on it: that is sent anew. Its end is, too, if the client has not acknowledged it.
    /// What the socket was before does not matter.
    ///
    /// # Errors
    /// `smoltcp` did not do what this module is made for.
    pub(crate) fn rebuild(
        &mut self,
        flow: &Flow,
        single: &mut Single,
        now: Instant,
    ) -> Result<(), &'static str> {
        self.connect(flow, single.get_mut(), now)?;
        let mut client = Client {
            flow,
            single,
            now,
            rebuilder: self,
        };
        client.lead()
    }

    /// Begins the connection, with the initial sequence number that it had. It is the second random number of a new interface.
    fn connect(
        &mut self,
        flow: &Flow,
        socket: &mut Socket<'static>,
        now: Instant,
    ) -> Result<(), &'static str> {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed_for(flow.first_out().wrapping_sub(1));
        let mut chance = Interface::new(config, &mut self.wire, now);
        // Only a closed socket can be connected.
        socket.abort();
        let local = (IpAddress::Ipv4(self.local.address), self.local.port);
        socket
            .connect(chance.context(), address_of(flow.peer), local)
            .map_err(|_| "the TCP stack cannot begin a connection")
    }
}

/// The client of a socket in the rebuilder.
struct Client<'c> {
    flow: &'c Flow,
    single: &'c mut Single,
    now: Instant,
    rebuilder: &'c mut SocketRebuilder,
}

impl Client<'_> {
    /// Leads the socket to where its flow stands.
    fn lead(&mut self) -> Result<(), &'static str> {
        let (flow, first_out) = (self.flow, self.flow.first_out());
        // Of who has not answered our SYN yet, only the own one is known: the connection began from both sides.
        self.send(TcpControl::Syn, flow.is_open.then_some(first_out));
        // What the socket answers, nobody gets. The client may have got it already, and there are stacks that a second SYN confuses (libslirp 4.8 throws away
        // what it has to send). If it has not, it is sent again when its time is over.
        let expected_seq = first_out.wrapping_sub(u32::from(!flow.is_open));
        if self.receive_seq() != Some(expected_seq) {
            return Err("the TCP stack's initial sequence numbers are not those foreseen");
        }
        if flow.is_open && flow.is_end_acknowledged {
            self.single.get_mut().close();
            self.receive_seq();
            self.send(TcpControl::None, Some(first_out.wrapping_add(1)));
        }
        if flow.is_open && flow.peer_has_closed {
            let behind_end = u32::from(flow.is_end_acknowledged);
            self.send(TcpControl::Fin, Some(first_out.wrapping_add(behind_end)));
        }
        let expected = match (flow.is_open, flow.is_end_acknowledged, flow.peer_has_closed) {
            (false, ..) => State::SynReceived,
            (true, false, false) => State::Established,
            (true, false, true) => State::CloseWait,
            (true, true, false) => State::FinWait2,
            (true, true, true) => State::TimeWait,
        };
        match self.single.get().state() == expected {
            true => Ok(()),
            false => Err("the TCP stack does not follow a connection's beginning"),
        }
    }

    /// The client says something.
    fn send(&mut self, control: TcpControl, ack: Option<u32>) {
        let is_syn = control == TcpControl::Syn;
        let handshake = &self.flow.handshake;
        let (peer, port) = address_of(self.flow.peer);
        let mss = handshake.mss.unwrap_or(DEFAULT_MSS);
        // Its window is not known: room for one segment, until it says more. In a SYN it is not scaled.
        let scale = handshake.window_scale.filter(|_| !is_syn).unwrap_or(0);
        let tcp = TcpRepr {
            src_port: port,
            dst_port: self.rebuilder.local.port,
            control,
            seq_number: sequence(self.flow.next_in().wrapping_sub(u32::from(is_syn))),
            ack_number: ack.map(sequence),
            window_len: (mss >> scale).max(1),
            window_scale: handshake.window_scale.filter(|_| is_syn),
            max_seg_size: handshake.mss.filter(|_| is_syn),
            sack_permitted: handshake.sack_permitted && is_syn,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let ip = Ipv4Repr {
            src_addr: peer,
            dst_addr: self.rebuilder.local.address,
            next_header: IpProtocol::Tcp,
            payload_len: tcp.buffer_len(),
            hop_limit: 64,
        };
        let SocketRebuilder {
            wire, interface, ..
        } = &mut *self.rebuilder;
        let packet = wire.arrive(ip.buffer_len() + tcp.buffer_len());
        let unchecked = ChecksumCapabilities::ignored();
        let (head, rest) = packet.split_at_mut(ip.buffer_len());
        ip.emit(&mut Ipv4Packet::new_unchecked(head), &unchecked);
        tcp.emit(
            &mut TcpPacket::new_unchecked(rest),
            &IpAddress::Ipv4(peer),
            &IpAddress::Ipv4(ip.dst_addr),
            &unchecked,
        );
        interface.poll_ingress_single(self.now, wire, self.single.set_mut());
    }

    /// The socket says what it has to say. Returns the sequence number of it.
    fn receive_seq(&mut self) -> Option<u32> {
        let SocketRebuilder {
            wire, interface, ..
        } = &mut *self.rebuilder;
        wire.left_seq = None;
        interface.poll_egress(self.now, wire, self.single.set_mut());
        wire.left_seq
    }
}

fn sequence(number: u32) -> TcpSeqNumber {
    TcpSeqNumber(number.cast_signed())
}

/// What the interface is connected to: packets without checksums, one in either direction.
#[derive(Default)]
struct Wire {
    arriving: Vec<u8>,
    has_arrived: bool,
    leaving: Vec<u8>,
    /// Sequence number of the last segment that left.
    left_seq: Option<u32>,
}

impl Wire {
    /// Room for a packet that is to arrive.
    fn arrive(&mut self, bytes: usize) -> &mut [u8] {
        self.has_arrived = true;
        self.arriving.resize(bytes, 0);
        &mut self.arriving
    }
}

struct Arriving<'a>(&'a [u8]);

impl phy::RxToken for Arriving<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(self.0)
    }
}

struct Leaving<'a> {
    packet: &'a mut Vec<u8>,
    seq: &'a mut Option<u32>,
}

impl phy::TxToken for Leaving<'_> {
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
    type RxToken<'a> = Arriving<'a>;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arriving<'_>, Leaving<'_>)> {
        let has_arrived = core::mem::take(&mut self.has_arrived);
        let Self {
            arriving,
            leaving,
            left_seq,
            ..
        } = self;
        let leaving = Leaving {
            packet: leaving,
            seq: left_seq,
        };
        has_arrived.then_some((Arriving(arriving), leaving))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(Leaving {
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

/// Constants of `smoltcp`'s generator, sPCG32 (M. E. O'Neill, "PCG", 2014): `state = state * MULTIPLIER + INCREMENT`.
const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
const INVERSE: u64 = inverse(MULTIPLIER);

/// The number by which `odd` gives 1, modulo 2^64: Newton's iteration, which doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut right_bits = 3;
    while right_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits *= 2;
    }
    inverse
}

fn previous(state: u64) -> u64 {
    state.wrapping_sub(INCREMENT).wrapping_mul(INVERSE)
}

/// What the generator puts out when it has come to `state`.
fn output(state: u64) -> u32 {
    (state >> (29 - (state >> 61))) as u32
}

/// A seed with which the generator's second output is `wanted`.
fn seed_for(wanted: u32) -> u64 {
    // With the upper three bits 0 the output is bits 29 to 60, whatever is below.
    let states = (0..1 << 29).map(|low| u64::from(wanted) << 29 | low);
    // The first goes into a 16-bit number that may not be 0; if it is, it is drawn again.
    let is_drawn_once = |state: &u64| {
        let first = output(previous(*state));
        (first ^ first >> 16) as u16 != 0
    };
    let state = states.into_iter().find(is_drawn_once).unwrap_or(0);
    previous(previous(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Handshake};
    use crate::flow::Flows;
    use crate::shape;
    use alloc::vec;
    use proptest::prelude::*;
    use smoltcp::wire::Ipv4Address;

    const LOCAL: Local = Local {
        address: Ipv4Address::new(10, 0, 2, 15),
        port: 6379,
    };

    fn flows(handshake: Handshake) -> Flows {
        let mut flows = Flows::new(1 << 20);
        let begun = Fact::Begun {
            connection: 1,
            peer: [10, 0, 2, 2, 1, 2],
            handshake,
        };
        flows.apply(&begun).unwrap();
        flows
    }

    fn handshake(peer_seq: u32, local_seq: u32) -> Handshake {
        Handshake {
            peer_mac: [2; 6],
            peer_seq,
            local_seq,
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
        }
    }

    fn rebuilt(flows: &Flows) -> Result<State, &'static str> {
        let mut single = Single::new(shape::SERVICE.closed());
        let (flow, now) = (flows.get(1).unwrap(), Instant::from_millis(5));
        let rebuilt = SocketRebuilder::new(LOCAL).rebuild(flow, &mut single, now);
        rebuilt.map(|()| single.get().state())
    }

    proptest! {
        /// `rebuild` itself compares the number that the stack chose with the one foreseen.
        #[test]
        fn a_socket_is_led_to_any_sequence_numbers(peer_seq: u32, local_seq: u32, received in 0_usize..1 << 20, replied in 0_usize..1 << 18) {
            let mut flows = flows(handshake(peer_seq, local_seq));
            flows.opened(1);
            flows.received(1, received);
            flows.reply(1, &vec![0; replied]);
            let bytes = replied as u64;
            flows.apply(&Fact::Acknowledged { connection: 1, bytes, end: false }).unwrap();
            prop_assert_eq!(rebuilt(&flows), Ok(State::Established));
        }
    }

    #[test]
    fn a_socket_is_led_to_every_state_a_flow_can_be_in() {
        let state = |prepare: &dyn Fn(&mut Flows)| {
            let mut flows = flows(handshake(u32::MAX, u32::MAX));
            prepare(&mut flows);
            rebuilt(&flows)
        };
        let peer_closed = |flows: &mut Flows| {
            flows.apply(&Fact::PeerClosed { connection: 1 }).unwrap();
        };
        let end_acknowledged = |flows: &mut Flows| {
            let fact = Fact::Acknowledged {
                connection: 1,
                bytes: 0,
                end: true,
            };
            flows.apply(&fact).unwrap();
        };
        assert_eq!(state(&|_| ()), Ok(State::SynReceived));
        assert_eq!(state(&|flows| flows.opened(1)), Ok(State::Established));
        assert_eq!(
            state(&|flows| {
                flows.opened(1);
                peer_closed(flows);
            }),
            Ok(State::CloseWait)
        );
        assert_eq!(
            state(&|flows| {
                flows.opened(1);
                end_acknowledged(flows);
            }),
            Ok(State::FinWait2)
        );
        assert_eq!(
            state(&|flows| {
                flows.opened(1);
                end_acknowledged(flows);
                peer_closed(flows);
            }),
            Ok(State::TimeWait)
        );
    }

    #[test]
    fn a_first_number_that_is_drawn_again_is_avoided() {
        // Of 65536 seeds about one needs that.
        for wanted in 0..200_000_u32 {
            let first = output(
                seed_for(wanted)
                    .wrapping_mul(MULTIPLIER)
                    .wrapping_add(INCREMENT),
            );
            assert_ne!((first ^ first >> 16) as u16, 0);
        }
    }
}
