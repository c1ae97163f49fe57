//! The network of a primary: one interface, the lobby, the connections.
//!
//! It moves bytes between clients and the ledger. What they mean, and when frames may leave, the owner decides.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smoltcp::iface::{self, Interface, PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::phy::{Device, RxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address};

use crate::fact::Fact;
use crate::flow::Flows;
use crate::frame::{OneFrame, Tapped};
use crate::ledger::{Event, Ledger};
use crate::live::Live;
use crate::lobby::Lobby;
use crate::revival::revive;
use crate::segment::{Arriving, Local, arriving};
use crate::{ConnectionId, Peer, shape};

/// Frames taken in before what they brought is looked at.
const INGRESS_FRAMES: usize = 256;
/// Rounds of egress before anything else is looked at.
const EGRESS_ROUNDS: usize = 16;
/// Connections that are revived in one round without a frame for them: others are served in between.
const REVIVED_PER_ROUND: usize = 4;

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

/// Interface, sockets and connections, on a device that holds back what it is given to send until its owner lets it leave.
pub struct Network<D> {
    device: D,
    interface: Interface,
    mac: EthernetAddress,
    local: Local,
    connections_max: usize,
    lobby: Lobby,
    live: Live,
    /// Connections of a predecessor that have no socket yet.
    unattached: VecDeque<ConnectionId>,
    has_replied: bool,
    /// SYNs that were answered in this round.
    answered: Vec<(Peer, u32)>,
    /// Why a connection could not be revived, if one could not.
    complaint: Option<&'static str>,
}

impl<D: Device> Network<D> {
    /// Makes everything that needs no device that works: sockets that listen already, and an interface whose hardware address comes later.
    pub fn prepare(mut device: D, config: &Config) -> Self {
        Self {
            interface: new_interface(&mut device, config),
            device,
            mac: UNKNOWN_MAC,
            local: Local {
                address: config.address,
                port: config.port,
            },
            connections_max: config.connections_max,
            lobby: Lobby::open(config.port),
            live: Live::new(),
            unattached: VecDeque::new(),
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

    /// Begins to take frames in, on a device that works, and to go on with `flows`: those that wait for something first.
    pub fn start(&mut self, mac: [u8; 6], flows: &Flows) {
        self.mac = EthernetAddress(mac);
        self.interface
            .set_hardware_addr(HardwareAddress::Ethernet(self.mac));
        for is_urgent in [true, false] {
            let flows = flows
                .iter()
                .filter(|(_, flow)| flow.is_urgent() == is_urgent);
            self.unattached
                .extend(flows.map(|(connection, _)| connection));
        }
    }

    /// Takes frames in. True if there may be more.
    pub fn ingress(&mut self, now_ns: u64, ledger: &mut impl Ledger) -> bool {
        let now = instant(now_ns);
        for _ in 0..INGRESS_FRAMES {
            let capabilities = self.device.capabilities();
            let Some((frame, answer)) = self.device.receive(now) else {
                return false;
            };
            let interface = &mut self.interface;
            let mut room = Room {
                local: self.local,
                lobby: &mut self.lobby,
                live: &mut self.live,
                complaint: &mut self.complaint,
            };
            frame.consume(|frame| {
                let sockets = room.sockets_for(frame, now, ledger);
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
    pub fn tell(&mut self, now_ns: u64, ledger: &mut impl Ledger) {
        let is_crowded = self.live.len() * 4 > self.connections_max * 3;
        self.live.tell(now_ns, is_crowded, ledger);
    }

    /// Moves replies into the sockets, and frames to the device. Clients whose SYN is answered by one of them are entered.
    pub fn egress(&mut self, now_ns: u64, ledger: &mut impl Ledger) {
        let now = instant(now_ns);
        self.revive_some(now, ledger.flows());
        self.has_replied |= self.live.fill(now_ns, ledger.flows());
        let (device, flows) = (&mut self.device, ledger.flows());
        self.live.nudge(device, self.mac, self.local, flows, now);
        let answered = &mut self.answered;
        let mut tapped = Tapped {
            device: &mut self.device,
            local: self.local,
            syn_ack: |peer, seq| answered.push((peer, seq)),
        };
        for sockets in [&mut self.live.sockets, &mut self.lobby.sockets] {
            for _ in 0..EGRESS_ROUNDS {
                let polled = self.interface.poll_egress(now, &mut tapped, sockets);
                if polled == PollResult::None {
                    break;
                }
            }
        }
        self.enter_answered(ledger);
        let room = self.connections_max.saturating_sub(self.live.len());
        self.lobby.keep_listening(room);
    }

    /// When there is something to do although no frame came in, in ns; 0 for now.
    pub fn due_ns(&mut self, now_ns: u64) -> Option<u64> {
        if !self.unattached.is_empty() {
            return Some(0);
        }
        let now = instant(now_ns);
        let due = [&self.live.sockets, &self.lobby.sockets]
            .into_iter()
            .filter_map(|sockets| self.interface.poll_at(now, sockets))
            .min()?;
        Some(u64::try_from(due.total_micros()).unwrap_or(0) * 1000)
    }

    /// The lobby's sockets, for those who serve clients on other ports for whom no journal is kept.
    pub fn lobby(&mut self) -> &mut SocketSet<'static> {
        &mut self.lobby.sockets
    }

    /// Whether any client was replied to.
    pub fn has_replied(&self) -> bool {
        self.has_replied
    }

    /// Why a connection could not be revived; told once.
    pub fn take_complaint(&mut self) -> Option<&'static str> {
        self.complaint.take()
    }

    /// Enters those whose SYN was answered. Answers that are sent again are known already.
    fn enter_answered(&mut self, ledger: &mut impl Ledger) {
        for (peer, local_seq) in self.answered.drain(..) {
            if ledger.flows().of_peer(peer).is_some() {
                continue;
            }
            let Some((handshake, socket)) = self.lobby.leave(peer, local_seq) else {
                continue;
            };
            let connection = ledger.flows().next_connection();
            ledger.enter(Event::Fact(Fact::Begun {
                connection,
                peer,
                handshake,
            }));
            self.live.attach_new(connection, socket);
        }
    }

    /// Revives connections for which no frame has come yet.
    fn revive_some(&mut self, now: Instant, flows: &Flows) {
        for _ in 0..REVIVED_PER_ROUND {
            let Some(connection) = self.unattached.pop_front() else {
                return;
            };
            let mut room = Room {
                local: self.local,
                lobby: &mut self.lobby,
                live: &mut self.live,
                complaint: &mut self.complaint,
            };
            room.attach(connection, now, flows);
        }
    }
}

/// A network without its device and interface.
struct Room<'a> {
    local: Local,
    lobby: &'a mut Lobby,
    live: &'a mut Live,
    complaint: &'a mut Option<&'static str>,
}

impl Room<'_> {
    /// The sockets that a frame may be for; `None` if it is to be dropped. Whose connection it is on has a socket afterwards.
    ///
    /// A client that is connected must not reach the lobby, where its SYN, sent again, would begin a second connection.
    fn sockets_for(
        &mut self,
        frame: &[u8],
        now: Instant,
        ledger: &mut impl Ledger,
    ) -> Option<&mut SocketSet<'static>> {
        let Some(segment) = arriving(frame, self.local) else {
            return Some(&mut self.lobby.sockets);
        };
        let mut connection = ledger.flows().of_peer(segment.peer);
        if let (Some(old), Some(_)) = (connection, segment.syn)
            && self.live.is_only_waiting(old)
        {
            // The client's port is in use again: a new connection (RFC 9293, 3.6.1).
            self.live.detach(old);
            ledger.enter(Event::Fact(Fact::Gone { connection: old }));
            connection = None;
        }
        if let Some(connection) = connection {
            self.believe(connection, segment, ledger);
            self.attach(connection, now, ledger.flows());
            return Some(&mut self.live.sockets);
        }
        match segment.syn {
            Some(syn) if !self.lobby.greet(segment.peer, syn) => None,
            _ => Some(&mut self.lobby.sockets),
        }
    }

    /// The client says where it stands. If a predecessor had sent it more than the journal was told, the socket is to be made anew: its segments would
    /// be old to the client, and if the client has something to send again as well, neither would hear the other any more.
    fn believe(&mut self, connection: ConnectionId, segment: Arriving, ledger: &mut impl Ledger) {
        let news = ledger
            .flows()
            .get(connection)
            .filter(|flow| !self.live.would_hear(connection, flow, &segment))
            .and_then(|flow| flow.news_of(connection, segment.seq, segment.ack?));
        if let Some(fact) = news {
            self.live.detach(connection);
            ledger.enter(Event::Fact(fact));
        }
    }

    /// Makes a socket for a flow that has none.
    fn attach(&mut self, connection: ConnectionId, now: Instant, flows: &Flows) {
        let Some(flow) = flows
            .get(connection)
            .filter(|_| !self.live.is_attached(connection))
        else {
            return;
        };
        match revive(flow, self.local, shape::SERVICE, now) {
            Ok(socket) => self.live.attach_revived(connection, socket, flow),
            Err(reason) => *self.complaint = Some(reason),
        }
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

fn instant(now_ns: u64) -> Instant {
    Instant::from_micros((now_ns / 1000) as i64)
}
