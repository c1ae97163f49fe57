//! Makes a socket out of a flow, as Linux' `TCP_REPAIR` does.
//!
//! `smoltcp` has no way to set the state of a socket, so the socket is led to it: it connects on an interface of its
//! own, and receives the segments that a client would send. Once a connection is open, neither side knows who began
//! it, so the socket may be the one that connects; that takes the fewest segments. The client's sequence numbers can
//! be chosen freely. Ours is the second random number of the interface that the socket connects on, so the seed of
//! that interface is [chosen](seed) for it.

mod seed;
mod wire;

use smoltcp::iface::{Config, Interface};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IpAddress, IpCidr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket,
    TcpRepr, TcpSeqNumber,
};

use crate::flow::Flow;
use crate::segment::{Local, address_of};
use crate::single::Single;
use seed::seed_for;
use wire::Wire;

/// Makes sockets out of flows, on one interface for all of them.
pub(crate) struct SocketRebuilder {
    local: Local,
    wire: Wire,
    interface: Interface,
}

impl SocketRebuilder {
    /// Makes a rebuilder for the service at `local`.
    pub(crate) fn new(local: Local) -> Self {
        let mut wire = Wire::default();
        let mut interface =
            Interface::new(Config::new(HardwareAddress::Ip), &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // The list is empty, so there is room.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(local.address()), 0));
        });
        Self {
            local,
            wire,
            interface,
        }
    }

    /// Turns the socket of `single` into the one that `flow` had. What it was before does not matter.
    ///
    /// Unacknowledged replies are not in it: they have to be sent again, and so has the end, if the client has not
    /// acknowledged it.
    ///
    /// # Errors
    /// `smoltcp` behaves otherwise than this module expects; says how.
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

    /// Begins the connection, with the initial sequence number that it had.
    fn connect(
        &mut self,
        flow: &Flow,
        socket: &mut Socket<'static>,
        now: Instant,
    ) -> Result<(), &'static str> {
        // The initial sequence number is the second random number of this interface.
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed_for(flow.first_out().wrapping_sub(1));
        let mut seeded = Interface::new(config, &mut self.wire, now);
        // Only a closed socket can be connected.
        socket.abort();
        let local = (IpAddress::Ipv4(self.local.address()), self.local.port);
        socket
            .connect(seeded.context(), address_of(flow.peer), local)
            .map_err(|_| "the TCP stack cannot begin a connection")
    }
}

/// The client of a socket that is being rebuilt.
struct Client<'c> {
    flow: &'c Flow,
    single: &'c mut Single,
    now: Instant,
    rebuilder: &'c mut SocketRebuilder,
}

impl Client<'_> {
    /// Leads the socket to the state of its flow.
    fn lead(&mut self) -> Result<(), &'static str> {
        let (flow, first_out) = (self.flow, self.flow.first_out());
        self.send(TcpControl::Syn, first_out);
        if self.receive_seq() != Some(first_out) {
            return Err("the TCP stack's initial sequence numbers are not those foreseen");
        }
        if flow.is_end_acknowledged {
            self.single.get_mut().close();
            self.receive_seq();
            self.send(TcpControl::None, first_out.wrapping_add(1));
        }
        if flow.peer_has_closed {
            let behind_end = u32::from(flow.is_end_acknowledged);
            self.send(TcpControl::Fin, first_out.wrapping_add(behind_end));
        }
        let expected = match (flow.is_end_acknowledged, flow.peer_has_closed) {
            (false, false) => State::Established,
            (false, true) => State::CloseWait,
            (true, false) => State::FinWait2,
            (true, true) => State::TimeWait,
        };
        match self.single.get().state() == expected {
            true => Ok(()),
            false => Err("the TCP stack does not follow a connection's beginning"),
        }
    }

    /// Sends a segment to the socket.
    fn send(&mut self, control: TcpControl, ack: u32) {
        let is_syn = control == TcpControl::Syn;
        let handshake = &self.flow.handshake;
        let (peer, port) = address_of(self.flow.peer);
        let mss = self.flow.mss();
        // The client's window is unknown: assume room for one segment until it says more. In a SYN it is not scaled.
        let scale = handshake.window_scale.filter(|_| !is_syn).unwrap_or(0);
        let tcp = TcpRepr {
            src_port: port,
            dst_port: self.rebuilder.local.port,
            control,
            seq_number: sequence(self.flow.next_in().wrapping_sub(u32::from(is_syn))),
            ack_number: Some(sequence(ack)),
            window_len: (mss >> scale).max(1),
            window_scale: handshake.window_scale.filter(|_| is_syn),
            max_seg_size: is_syn.then_some(mss),
            sack_permitted: handshake.sack_permitted && is_syn,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let ip = Ipv4Repr {
            src_addr: peer,
            dst_addr: self.rebuilder.local.address(),
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

    /// Lets the socket send what it has to. Returns the sequence number of that.
    fn receive_seq(&mut self) -> Option<u32> {
        let SocketRebuilder {
            wire, interface, ..
        } = &mut *self.rebuilder;
        wire.take_left_seq();
        interface.poll_egress(self.now, wire, self.single.set_mut());
        wire.take_left_seq()
    }
}

fn sequence(number: u32) -> TcpSeqNumber {
    TcpSeqNumber(number.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, Handshake};
    use crate::flows::Flows;
    use crate::socket_options;
    use alloc::vec;
    use proptest::prelude::*;
    use smoltcp::wire::{Ipv4Address, Ipv4Cidr};

    const LOCAL: Local = Local {
        network: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
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
        let mut single = Single::new(socket_options::SERVICE.closed());
        let (flow, now) = (flows.get(1).unwrap(), Instant::from_millis(5));
        let rebuilt = SocketRebuilder::new(LOCAL).rebuild(flow, &mut single, now);
        rebuilt.map(|()| single.get().state())
    }

    proptest! {
        /// Rebuilds sockets with any numbers. `rebuild` itself compares the number that the stack chose with the one
        /// foreseen.
        #[test]
        fn a_socket_is_led_to_any_sequence_numbers(
            peer_seq: u32,
            local_seq: u32,
            received in 0_usize..1 << 20,
            replied in 0_usize..1 << 18,
        ) {
            let mut flows = flows(handshake(peer_seq, local_seq));
            flows.opened(1);
            flows.received(1, received);
            flows.reply(1, &vec![0; replied]);
            let bytes = replied as u64;
            let fact = Fact::Acknowledged { connection: 1, bytes, end: false };
            flows.apply(&fact).unwrap();
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
        assert_eq!(state(&|_| ()), Ok(State::Established));
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
}
