//! The network of a primary: one interface, the listeners, the connections.
//!
//! It moves bytes between clients and the sink. What they mean, and when frames may leave, the owner decides.

use alloc::vec::Vec;

use smoltcp::iface::{self, Interface, PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::phy::{Device, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address};

use crate::attached::AttachedSockets;
use crate::event_sink::{ConnectionEvent, EventSink};
use crate::fact::Fact;
use crate::flow::Flows;
use crate::frame::{OneFrame, Tapped};
use crate::listeners::Listeners;
use crate::prebuilt::{PrebuiltSockets, Unbuilt, instant};
use crate::segment::{Arriving, Local, arriving};
use crate::tcp_repair::SocketRebuilder;
use crate::{ConnectionId, Peer};

/// Frames taken in before what they brought is looked at.
const INGRESS_FRAMES: usize = 256;
/// Rounds of egress before anything else is looked at.
const EGRESS_ROUNDS: usize = 16;
/// Connections that are revived in one round without a frame for them: others are served in between.
const REBUILT_PER_ROUND: usize = 4;

/// Hardware address before there is a device: one that nobody was given.
const UNKNOWN_MAC: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0]);

/// Address and limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our address.
    pub address: Ipv4Address,
    /// Length of the network's prefix, in bits.
    pub prefix_len: u8,
    /// The way to other networks.
    pub gateway: Option<Ipv4Address>,
    /// Port of the service.
    pub port: u16,
    /// What nobody outside can foretell.
    pub seed: u64,
    /// Most connections at a time.
    pub connections_max: usize,
}

/// What it took to make sockets for connections of a predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Sockets that there are. A connection has several in turn if its client says that it is elsewhere than the journal knows.
    pub connections: usize,
    /// Those that were not made before.
    pub made: usize,
    /// The time it took in all, in ns.
    pub took_ns: u64,
}

/// Interface, sockets and connections, on a device that holds back what it is given to send until its owner lets it leave.
pub struct Network<D> {
    device: D,
    interface: Interface,
    mac: EthernetAddress,
    local: Local,
    connections_max: usize,
    listeners: Listeners,
    attached: AttachedSockets,
    rebuilder: SocketRebuilder,
    prebuilt: PrebuiltSockets,
    unbuilt: Unbuilt,
    rebuild_report: RebuildReport,
    has_replied: bool,
    /// SYNs that were answered in this round.
    answered: Vec<(Peer, u32)>,
    /// Why a connection could not be revived, if one could not.
    complaint: Option<&'static str>,
}

impl<D: Device> Network<D> {
    /// Makes everything that needs no device that works: sockets that listen already, and an interface whose hardware address comes later.
    pub fn prepare(mut device: D, config: &Config) -> Self {
        let local = Local {
            address: config.address,
            port: config.port,
        };
        Self {
            interface: new_interface(&mut device, config),
            device,
            mac: UNKNOWN_MAC,
            local,
            connections_max: config.connections_max,
            listeners: Listeners::open(config.port),
            attached: AttachedSockets::default(),
            rebuilder: SocketRebuilder::new(local),
            prebuilt: PrebuiltSockets::default(),
            unbuilt: Unbuilt::default(),
            rebuild_report: RebuildReport::default(),
            has_replied: false,
            answered: Vec::new(),
            complaint: None,
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// For an instance that waits, when it has nothing else to do: makes sockets for connections that are quiet. One step, which is short; true if there is
    /// another to do now.
    pub fn prebuild(&mut self, now_ns: u64, flows: &Flows) -> bool {
        self.prebuilt.go_on(&mut self.rebuilder, flows, now_ns)
    }

    /// Begins to take frames in, on a device that works, and to go on with the connections that there are: those that wait for something first.
    pub fn start(&mut self, mac: [u8; 6], sink: &impl EventSink) {
        self.mac = EthernetAddress(mac);
        self.interface
            .set_hardware_addr(HardwareAddress::Ethernet(self.mac));
        let (start_ns, flows) = (sink.now_ns(), sink.flows());
        let prebuilt = core::mem::take(&mut self.prebuilt);
        self.unbuilt = prebuilt.hand_over(&mut self.attached, flows, start_ns);
        self.rebuild_report.connections = self.attached.len();
        self.rebuild_report.took_ns = sink.now_ns() - start_ns;
    }

    /// Takes frames in. True if there may be more.
    pub fn ingress(&mut self, now_ns: u64, sink: &mut impl EventSink) -> bool {
        let now = instant(now_ns);
        for _ in 0..INGRESS_FRAMES {
            let capabilities = self.device.capabilities();
            let Some((frame, answer)) = self.device.receive(now) else {
                return false;
            };
            sink.progress();
            let interface = &mut self.interface;
            let mut connections = Connections {
                local: self.local,
                listeners: &mut self.listeners,
                attached: &mut self.attached,
                rebuilder: &mut self.rebuilder,
                unbuilt: &mut self.unbuilt,
                rebuild_report: &mut self.rebuild_report,
                complaint: &mut self.complaint,
            };
            frame.consume(|frame| {
                let sockets = connections.sockets_for(frame, now, sink);
                let mut one = OneFrame {
                    frame: Some(frame),
                    answer: Some(answer),
                    capabilities,
                };
                if let Some(sockets) = sockets {
                    let _: PollIngressSingleResult =
                        interface.poll_ingress_single(now, &mut one, sockets);
                }
            });
        }
        true
    }

    /// Enters what happened on every connection since the last call.
    pub fn report(&mut self, now_ns: u64, sink: &mut impl EventSink) {
        let is_crowded = self.attached.len() * 4 > self.connections_max * 3;
        self.attached.report(now_ns, is_crowded, sink);
    }

    /// Moves replies into the sockets, and frames to the device. Clients whose SYN is answered by one of them are entered.
    pub fn egress(&mut self, now_ns: u64, sink: &mut impl EventSink) {
        let now = instant(now_ns);
        self.rebuild_some(now, sink);
        self.has_replied |= self.attached.fill(now_ns, sink.flows());
        let (device, flows) = (&mut self.device, sink.flows());
        self.attached
            .send_dup_acks(device, self.mac, self.local, flows, now);
        let answered = &mut self.answered;
        let mut tapped = Tapped {
            device: &mut self.device,
            local: self.local,
            syn_ack: |peer, seq| answered.push((peer, seq)),
        };
        for _ in 0..EGRESS_ROUNDS {
            let mut has_sent = false;
            for set in self
                .attached
                .sets_mut()
                .chain([&mut self.listeners.sockets])
            {
                let polled = self.interface.poll_egress(now, &mut tapped, set);
                has_sent |= polled != PollResult::None;
                sink.progress();
            }
            if !has_sent {
                break;
            }
        }
        self.enter_answered(sink);
        let room = self.connections_max.saturating_sub(self.attached.len());
        self.listeners.keep_listening(room);
    }

    /// When there is something to do although no frame came in, in ns; 0 for now.
    pub fn due_ns(&mut self, now_ns: u64) -> Option<u64> {
        if !self.unbuilt.is_empty() {
            return Some(0);
        }
        let now = instant(now_ns);
        let sets = self.attached.sets().chain([&self.listeners.sockets]);
        let due = sets
            .filter_map(|set| self.interface.poll_at(now, set))
            .min()?;
        Some(u64::try_from(due.total_micros()).unwrap_or(0) * 1000)
    }

    /// The listeners's sockets, for those who serve clients on other ports for whom no journal is kept.
    pub fn listeners(&mut self) -> &mut SocketSet<'static> {
        &mut self.listeners.sockets
    }

    /// Whether any client was replied to.
    pub fn has_replied(&self) -> bool {
        self.has_replied
    }

    /// Why a connection could not be revived; told once.
    pub fn take_complaint(&mut self) -> Option<&'static str> {
        self.complaint.take()
    }

    /// What was made for the connections of a predecessor, once each that is still there has a socket; told once.
    pub fn take_rebuild_report(&mut self) -> Option<RebuildReport> {
        let is_done = self.unbuilt.is_empty() && self.rebuild_report.connections > 0;
        is_done.then(|| {
            self.unbuilt = Unbuilt::default();
            core::mem::take(&mut self.rebuild_report)
        })
    }

    /// Enters those whose SYN was answered. Answers that are sent again are known already.
    fn enter_answered(&mut self, sink: &mut impl EventSink) {
        for (peer, local_seq) in self.answered.drain(..) {
            if sink.flows().of_peer(peer).is_some() {
                continue;
            }
            let Some((handshake, socket)) = self.listeners.accept(peer, local_seq) else {
                continue;
            };
            let connection = sink.flows().next_connection();
            sink.commit_event(ConnectionEvent::Fact(Fact::Begun {
                connection,
                peer,
                handshake,
            }));
            self.attached.attach_new(connection, socket);
        }
    }

    /// Revives connections for which no frame has come yet.
    fn rebuild_some(&mut self, now: Instant, sink: &impl EventSink) {
        for _ in 0..REBUILT_PER_ROUND {
            let Some(connection) = self.unbuilt.next() else {
                return;
            };
            let mut connections = Connections {
                local: self.local,
                listeners: &mut self.listeners,
                attached: &mut self.attached,
                rebuilder: &mut self.rebuilder,
                unbuilt: &mut self.unbuilt,
                rebuild_report: &mut self.rebuild_report,
                complaint: &mut self.complaint,
            };
            connections.attach(connection, now, sink);
        }
    }
}

/// A network without its device and interface.
struct Connections<'a> {
    local: Local,
    listeners: &'a mut Listeners,
    attached: &'a mut AttachedSockets,
    rebuilder: &'a mut SocketRebuilder,
    unbuilt: &'a mut Unbuilt,
    rebuild_report: &'a mut RebuildReport,
    complaint: &'a mut Option<&'static str>,
}

impl Connections<'_> {
    /// The sockets that a frame may be for; `None` if it is to be dropped. Whose connection it is on has a socket afterwards.
    ///
    /// A client that is connected must not reach the listeners, where its SYN, sent again, would begin a second connection.
    fn sockets_for(
        &mut self,
        frame: &[u8],
        now: Instant,
        sink: &mut impl EventSink,
    ) -> Option<&mut SocketSet<'static>> {
        let Some(segment) = arriving(frame, self.local) else {
            return Some(&mut self.listeners.sockets);
        };
        let mut connection = sink.flows().of_peer(segment.peer);
        if let (Some(old), Some(_)) = (connection, segment.syn)
            && self.attached.is_only_waiting(old)
        {
            // The client's port is in use again: a new connection (RFC 9293, 3.6.1).
            self.attached.detach(old);
            sink.commit_event(ConnectionEvent::Fact(Fact::Gone { connection: old }));
            connection = None;
        }
        if let Some(connection) = connection {
            self.believe(connection, segment, sink);
            self.attach(connection, now, sink);
            if let Some(set) = self.attached.set_of(connection) {
                return Some(set);
            }
        }
        match segment.syn {
            // Its connection could not be rebuild_report: it is told so when it says something else.
            Some(_) if connection.is_some() => None,
            Some(syn) if !self.listeners.syn_received(segment.peer, syn) => None,
            _ => Some(&mut self.listeners.sockets),
        }
    }

    /// The client says where it stands. If a predecessor had sent it more than the journal was told, the socket is to be made anew: its segments would
    /// be old to the client, and if the client has something to send again as well, neither would hear the other any more.
    fn believe(&mut self, connection: ConnectionId, segment: Arriving, sink: &mut impl EventSink) {
        let news = sink
            .flows()
            .get(connection)
            .filter(|flow| !self.attached.accepts(connection, flow, &segment))
            .and_then(|flow| flow.news_of(connection, segment.seq, segment.ack?));
        if let Some(fact) = news {
            self.attached.detach(connection);
            sink.commit_event(ConnectionEvent::Fact(fact));
        }
    }

    /// Makes a socket for a flow that has none.
    fn attach(&mut self, connection: ConnectionId, now: Instant, sink: &impl EventSink) {
        let Some(flow) = sink
            .flows()
            .get(connection)
            .filter(|_| !self.attached.is_attached(connection))
        else {
            return;
        };
        let start_ns = sink.now_ns();
        let mut single = self.unbuilt.socket();
        match self.rebuilder.rebuild(flow, &mut single, now) {
            Ok(()) => self.attached.attach_rebuilt(connection, single, flow),
            Err(reason) => *self.complaint = Some(reason),
        }
        self.rebuild_report.connections += 1;
        self.rebuild_report.made += 1;
        self.rebuild_report.took_ns += sink.now_ns() - start_ns;
    }
}

fn new_interface<D: Device>(device: &mut D, config: &Config) -> Interface {
    let mut interface_config = iface::Config::new(HardwareAddress::Ethernet(UNKNOWN_MAC));
    interface_config.random_seed = config.seed;
    let mut interface = Interface::new(interface_config, device, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        // The list is empty, so there is room.
        let _ = addresses.push(IpCidr::new(
            IpAddress::Ipv4(config.address),
            config.prefix_len,
        ));
    });
    if let Some(gateway) = config.gateway {
        // The table is empty, so there is room.
        let _ = interface.routes_mut().add_default_ipv4_route(gateway);
    }
    interface
}
