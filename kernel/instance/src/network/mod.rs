//! The network: one interface, listening sockets, and the connections on them.
//!
//! It moves bytes between sockets and the server. What they mean, and when frames may leave, the server decides.

mod outbox;
mod page;
mod socket;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use partition::cmdline::NetworkConfig;
use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet,
};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint};

use crate::devices::nic::Nic;
use outbox::{Connection, fill};
use page::PageSockets;
use socket::Shape;

pub use outbox::Outbox;
pub use page::Site;

/// Sockets: so many clients at once, and a few that come while others go.
const SOCKETS: usize = 96;
/// Frames taken in before what they brought is looked at.
const INGRESS_FRAMES: usize = 256;
/// Rounds of egress before anything else is looked at.
const EGRESS_ROUNDS: usize = 16;
/// How long a client of the service may be silent.
const PEER_TIMEOUT: Duration = Duration::from_secs(90);
/// The sockets of the service.
const SHAPE: Shape = Shape {
    receive_bytes: 16 << 10,
    send_bytes: 32 << 10,
    keep_alive: Some(Duration::from_secs(30)),
    timeout: PEER_TIMEOUT,
};
/// How long a client of the dead primary is asked whether it is still there: two rounds of ARP and SYN.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(3);

/// Number of a connection, never used twice.
pub type ConnectionId = u64;
/// IPv4 address and port of a client, in network order.
pub type Peer = [u8; 6];

/// What happened on the network.
pub enum Event<'a> {
    /// A client has connected.
    Opened(ConnectionId, Peer),
    /// Bytes came in, in order.
    Bytes(ConnectionId, &'a [u8]),
    /// The client is gone, or will send no more.
    Closed(ConnectionId),
}

/// The part of a [`Network`] that replies go to, borrowed beside its sockets.
macro_rules! outbox {
    ($network:expr) => {
        Outbox {
            connections: &mut $network.connections,
            slot_of: &$network.slot_of,
            has_replied: &mut $network.has_replied,
            backlog_bytes_max: $network.backlog_bytes_max,
        }
    };
}

/// Interface, sockets and connections.
pub struct Network {
    nic: Nic,
    interface: Interface,
    is_up: bool,
    sockets: SocketSet<'static>,
    handles: Vec<SocketHandle>,
    connections: Vec<Option<Connection>>,
    page: Option<PageSockets>,
    slot_of: BTreeMap<ConnectionId, usize>,
    next_connection: ConnectionId,
    port: u16,
    has_replied: bool,
    /// What all clients together may be owed, in bytes; one for whom there is no room is given up.
    backlog_bytes_max: usize,
    /// Clients of the dead primary that are still to be told.
    strangers: Vec<Peer>,
}

impl Network {
    /// Makes everything that needs no device: sockets that listen already, and an interface whose address is filled in later.
    pub fn prepare(
        port: u16,
        status_port: Option<u16>,
        ip: &NetworkConfig,
        seed: u64,
        backlog_bytes_max: usize,
    ) -> Self {
        let mut nic = Nic::prepare();
        let interface = new_interface(&mut nic, ip, seed);
        let mut sockets = SocketSet::new(Vec::with_capacity(SOCKETS));
        let handles: Vec<_> = (0..SOCKETS)
            .map(|_| sockets.add(SHAPE.listening(port)))
            .collect();
        let page = status_port.map(|port| PageSockets::open(port, &mut sockets));
        Self {
            nic,
            interface,
            is_up: false,
            sockets,
            connections: handles.iter().map(|_| None).collect(),
            handles,
            page,
            slot_of: BTreeMap::new(),
            next_connection: 1,
            port,
            has_replied: false,
            backlog_bytes_max,
            strangers: Vec::new(),
        }
    }

    /// The device, to be adopted.
    pub fn nic_mut(&mut self) -> &mut Nic {
        &mut self.nic
    }

    /// Begins to take frames in, on a device that was adopted. Connections are numbered from `next_connection`.
    pub fn start(&mut self, mac: EthernetAddress, next_connection: ConnectionId) {
        self.interface
            .set_hardware_addr(HardwareAddress::Ethernet(mac));
        self.next_connection = next_connection;
        self.is_up = true;
    }

    /// Ends the connections that clients had with the dead primary: a SYN on each makes the client answer, and the answer is reset.
    /// Half of the sockets do that, one client after another, so that new clients need not wait for old ones to be told.
    pub fn reset_strangers(&mut self, peers: impl Iterator<Item = Peer>) {
        self.strangers.extend(peers);
        for slot in SOCKETS / 2..SOCKETS {
            let handle = self.handles[slot];
            if self.sockets.get::<Socket<'_>>(handle).state() == State::Listen {
                self.reuse(slot);
            }
        }
    }

    /// Puts a socket that serves nobody to use: to tell a stranger, or to listen.
    fn reuse(&mut self, slot: usize) {
        let socket = self.sockets.get_mut::<Socket<'static>>(self.handles[slot]);
        let stranger = (slot >= SOCKETS / 2 && self.is_up).then(|| self.strangers.pop());
        match stranger.flatten() {
            Some(peer) => {
                let remote = IpEndpoint::new(
                    IpAddress::v4(peer[0], peer[1], peer[2], peer[3]),
                    u16::from_be_bytes([peer[4], peer[5]]),
                );
                socket.abort();
                socket.set_timeout(Some(STRANGER_TIMEOUT));
                // One that cannot be asked is found in the next round, closed, and put to use again.
                let _ = socket.connect(self.interface.context(), remote, self.port);
            }
            None if socket.is_open() && socket.state() != State::TimeWait => {}
            None => {
                socket.abort();
                socket.set_timeout(Some(PEER_TIMEOUT));
                let _ = socket.listen(self.port);
            }
        }
    }

    /// Takes frames in. True if there may be more.
    pub fn ingress(&mut self, now_ns: u64) -> bool {
        let Self {
            interface,
            nic,
            sockets,
            ..
        } = self;
        (0..INGRESS_FRAMES).all(|_| {
            interface.poll_ingress_single(instant(now_ns), nic, sockets)
                != PollIngressSingleResult::None
        })
    }

    /// Tells `sink` what happened on every socket since the last call.
    pub fn events(&mut self, mut sink: impl FnMut(Event<'_>, &mut Outbox<'_>)) {
        for slot in 0..self.handles.len() {
            self.socket_events(slot, &mut sink);
        }
    }

    fn socket_events(&mut self, slot: usize, sink: &mut impl FnMut(Event<'_>, &mut Outbox<'_>)) {
        let socket = self.sockets.get_mut::<Socket<'static>>(self.handles[slot]);
        let mut id = self.connections[slot]
            .as_ref()
            .map(|connection| connection.id);
        if id.is_none() {
            match socket.state() {
                State::Established | State::CloseWait => {}
                // One who went away: the socket is free. (A stranger's is, too, once his answer was reset.)
                State::Closed | State::TimeWait => return self.reuse(slot),
                _ => return,
            }
            let Some(peer) = socket.remote_endpoint().and_then(peer_of) else {
                return;
            };
            let new = self.next_connection;
            self.next_connection += 1;
            self.connections[slot] = Some(Connection::new(new));
            self.slot_of.insert(new, slot);
            sink(Event::Opened(new, peer), &mut outbox!(self));
            id = Some(new);
        }
        let Some(id) = id else { return };
        while socket.can_recv() {
            let mut outbox = outbox!(self);
            let taken = socket.recv(|bytes| {
                sink(Event::Bytes(id, bytes), &mut outbox);
                (bytes.len(), bytes.len())
            });
            if !taken.is_ok_and(|bytes| bytes > 0) {
                break;
            }
        }
        // A client that has sent its last byte still gets its replies: the connection ends when nothing is owed.
        if !socket.may_recv()
            && self.connections[slot]
                .as_ref()
                .is_some_and(|c| c.backlog.is_empty() || !socket.may_send())
        {
            sink(Event::Closed(id), &mut outbox!(self));
            socket.close();
            self.connections[slot] = None;
            self.slot_of.remove(&id);
        }
    }

    /// Goes on with the clients of the status page, if there is to be one.
    pub fn serve_page(&mut self, now_ns: u64, site: &mut Site<'_>) {
        if let Some(page) = &mut self.page {
            self.has_replied |= page.serve(&mut self.sockets, now_ns, site);
        }
    }

    /// Moves replies into the sockets, and frames to the gate.
    pub fn egress(&mut self, now_ns: u64) {
        for (handle, connection) in self.handles.iter().zip(&mut self.connections) {
            if let Some(connection) = connection {
                let socket = self.sockets.get_mut::<Socket<'_>>(*handle);
                fill(socket, connection, now_ns);
            }
        }
        for _ in 0..EGRESS_ROUNDS {
            if self
                .interface
                .poll_egress(instant(now_ns), &mut self.nic, &mut self.sockets)
                == PollResult::None
            {
                break;
            }
        }
    }

    /// Lets the frames at the gate leave. Returns how many.
    pub fn release(&mut self) -> usize {
        self.nic.release()
    }

    /// Whether there is something to do now.
    pub fn has_work(&mut self, now_ns: u64) -> bool {
        self.nic.has_received()
            || self
                .interface
                .poll_at(instant(now_ns), &self.sockets)
                .is_some_and(|due| due <= instant(now_ns))
    }

    /// Calls `work` with where replies go, between two looks at the sockets.
    pub fn with_outbox<T>(&mut self, work: impl FnOnce(&mut Outbox<'_>) -> T) -> T {
        work(&mut outbox!(self))
    }

    /// Whether a connection is one of this primary's.
    pub fn is_open(&self, id: ConnectionId) -> bool {
        self.slot_of.contains_key(&id)
    }

    /// Whether any client was replied to.
    pub fn has_replied(&self) -> bool {
        self.has_replied
    }
}

fn new_interface(nic: &mut Nic, ip: &NetworkConfig, seed: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress([
        0x02, 0, 0, 0, 0, 0,
    ])));
    config.random_seed = seed;
    let mut interface = Interface::new(config, nic, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        // The list is empty, so there is room.
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(ip.client), ip.prefix_len));
    });
    if let Some(gateway) = ip.gateway {
        // The table is empty, so there is room.
        let _ = interface.routes_mut().add_default_ipv4_route(gateway);
    }
    interface
}

fn peer_of(endpoint: IpEndpoint) -> Option<Peer> {
    let IpAddress::Ipv4(address) = endpoint.addr;
    let [a, b, c, d] = address.octets();
    let [high, low] = endpoint.port.to_be_bytes();
    Some([a, b, c, d, high, low])
}

fn instant(now_ns: u64) -> Instant {
    Instant::from_micros((now_ns / 1000) as i64)
}
