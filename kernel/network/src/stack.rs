//! The network of a primary: one interface, the lobby, the connections.
//!
//! It moves bytes between clients and the ledger. What they mean, and when frames may leave, the owner decides.

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
use crate::ready::{Ready, Unmade, instant};
use crate::revival::Cradle;
use crate::segment::{Arriving, Local, arriving};
use crate::{ConnectionId, Peer};

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

/// What it took to make sockets for connections of a predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
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
    lobby: Lobby,
    live: Live,
    cradle: Cradle,
    ready: Ready,
    unmade: Unmade,
    restored: Restored,
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
            lobby: Lobby::open(config.port),
            live: Live::default(),
            cradle: Cradle::new(local),
            ready: Ready::default(),
            unmade: Unmade::default(),
            restored: Restored::default(),
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
    pub fn get_ready(&mut self, now_ns: u64, flows: &Flows) -> bool {
        self.ready.go_on(&mut self.cradle, flows, now_ns)
    }

    /// Begins to take frames in, on a device that works, and to go on with the connections that there are: those that wait for something first.
    pub fn start(&mut self, mac: [u8; 6], ledger: &impl Ledger) {
        self.mac = EthernetAddress(mac);
        self.interface
            .set_hardware_addr(HardwareAddress::Ethernet(self.mac));
        let (start_ns, flows) = (ledger.now_ns(), ledger.flows());
        let ready = core::mem::take(&mut self.ready);
        self.unmade = ready.hand_over(&mut self.live, flows, start_ns);
        self.restored.connections = self.live.len();
        self.restored.took_ns = ledger.now_ns() - start_ns;
    }

    /// Takes frames in. True if there may be more.
    pub fn ingress(&mut self, now_ns: u64, ledger: &mut impl Ledger) -> bool {
        let now = instant(now_ns);
        for _ in 0..INGRESS_FRAMES {
            let capabilities = self.device.capabilities();
            let Some((frame, answer)) = self.device.receive(now) else {
                return false;
            };
            ledger.progress();
            let interface = &mut self.interface;
            let mut room = Room {
                local: self.local,
                lobby: &mut self.lobby,
                live: &mut self.live,
                cradle: &mut self.cradle,
                unmade: &mut self.unmade,
                restored: &mut self.restored,
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
        self.revive_some(now, ledger);
        self.has_replied |= self.live.fill(now_ns, ledger.flows());
        let (device, flows) = (&mut self.device, ledger.flows());
        self.live.nudge(device, self.mac, self.local, flows, now);
        let answered = &mut self.answered;
        let mut tapped = Tapped {
            device: &mut self.device,
            local: self.local,
            syn_ack: |peer, seq| answered.push((peer, seq)),
        };
        for _ in 0..EGRESS_ROUNDS {
            let mut has_sent = false;
            for set in self.live.sets_mut().chain([&mut self.lobby.sockets]) {
                let polled = self.interface.poll_egress(now, &mut tapped, set);
                has_sent |= polled != PollResult::None;
                ledger.progress();
            }
            if !has_sent {
                break;
            }
        }
        self.enter_answered(ledger);
        let room = self.connections_max.saturating_sub(self.live.len());
        self.lobby.keep_listening(room);
    }

    /// When there is something to do although no frame came in, in ns; 0 for now.
    pub fn due_ns(&mut self, now_ns: u64) -> Option<u64> {
        if !self.unmade.is_empty() {
            return Some(0);
        }
        let now = instant(now_ns);
        let sets = self.live.sets().chain([&self.lobby.sockets]);
        let due = sets
            .filter_map(|set| self.interface.poll_at(now, set))
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

    /// What was made for the connections of a predecessor, once each that is still there has a socket; told once.
    pub fn take_restored(&mut self) -> Option<Restored> {
        let is_done = self.unmade.is_empty() && self.restored.connections > 0;
        is_done.then(|| {
            self.unmade = Unmade::default();
            core::mem::take(&mut self.restored)
        })
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
    fn revive_some(&mut self, now: Instant, ledger: &impl Ledger) {
        for _ in 0..REVIVED_PER_ROUND {
            let Some(connection) = self.unmade.next() else {
                return;
            };
            let mut room = Room {
                local: self.local,
                lobby: &mut self.lobby,
                live: &mut self.live,
                cradle: &mut self.cradle,
                unmade: &mut self.unmade,
                restored: &mut self.restored,
                complaint: &mut self.complaint,
            };
            room.attach(connection, now, ledger);
        }
    }
}

/// A network without its device and interface.
struct Room<'a> {
    local: Local,
    lobby: &'a mut Lobby,
    live: &'a mut Live,
    cradle: &'a mut Cradle,
    unmade: &'a mut Unmade,
    restored: &'a mut Restored,
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
            self.attach(connection, now, ledger);
            if let Some(set) = self.live.set_of(connection) {
                return Some(set);
            }
        }
        match segment.syn {
            // Its connection could not be restored: it is told so when it says something else.
            Some(_) if connection.is_some() => None,
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
    fn attach(&mut self, connection: ConnectionId, now: Instant, ledger: &impl Ledger) {
        let Some(flow) = ledger
            .flows()
            .get(connection)
            .filter(|_| !self.live.is_attached(connection))
        else {
            return;
        };
        let start_ns = ledger.now_ns();
        let mut single = self.unmade.socket();
        match self.cradle.revive(flow, &mut single, now) {
            Ok(()) => self.live.attach_revived(connection, single, flow),
            Err(reason) => *self.complaint = Some(reason),
        }
        self.restored.connections += 1;
        self.restored.made += 1;
        self.restored.took_ns += ledger.now_ns() - start_ns;
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
