//! Clients with a TCP stack of their own. Each connects once.

use network::testing::FakeCard;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::dialogue::{Dialogue, FAREWELL, LONG, Random};
use crate::forge::{CLIENT, CLIENT_MAC};
use crate::server;
use crate::wire::{Segment, segment_in};

/// Port of the first client.
const FIRST_PORT: u16 = 40_000;

/// Who ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client, as soon as it has sent everything; replies still come then.
    ClientAtOnce,
    /// The client, when it has all replies.
    ClientLast,
    /// The service.
    Service,
}

/// One client.
pub struct Client {
    handle: SocketHandle,
    end: End,
    to_send: Vec<u8>,
    sent: usize,
    expected: Vec<u8>,
    received: usize,
    /// It reads once in this many rounds.
    reads_every: u64,
    /// It sends at most this many bytes at a time.
    piece_bytes: usize,
    starts_ns: u64,
    last_acknowledgement: Option<Segment>,
    pub trouble: Option<String>,
}

/// All clients, on one machine.
pub struct Clients {
    pub port: FakeCard,
    interface: Interface,
    sockets: SocketSet<'static>,
    pub clients: Vec<Client>,
    random: Random,
}

fn instant(now_ns: u64) -> Instant {
    Instant::from_micros((now_ns / 1000) as i64)
}

impl Clients {
    pub fn new(count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xc11e);
        let mut port = FakeCard::default();
        let mac = HardwareAddress::Ethernet(CLIENT_MAC);
        let mut config = Config::new(mac);
        config.random_seed = random.next();
        let mut interface = Interface::new(config, &mut port, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(CLIENT.into(), 24)).unwrap();
        });
        let mut sockets = SocketSet::new(Vec::new());
        let clients = (0..count)
            .map(|_| Client::new(&mut sockets, &mut random))
            .collect();
        Self {
            port,
            interface,
            sockets,
            clients,
            random,
        }
    }

    pub fn round(&mut self, now_ns: u64) -> Vec<Vec<u8>> {
        let now = instant(now_ns);
        self.interface.poll(now, &mut self.port, &mut self.sockets);
        for (number, client) in self.clients.iter_mut().enumerate() {
            let socket = self.sockets.get_mut::<Socket<'_>>(client.handle);
            if now_ns >= client.starts_ns && !client.has_begun(socket) {
                let remote = (IpAddress::Ipv4(server::ADDRESS), server::PORT);
                let local = FIRST_PORT + number as u16;
                socket
                    .connect(self.interface.context(), remote, local)
                    .unwrap();
            }
            client.go_on(socket, &mut self.random);
        }
        self.interface.poll(now, &mut self.port, &mut self.sockets);
        self.port.leaving.drain(..).collect()
    }

    pub fn due_ns(&mut self, now_ns: u64) -> Option<u64> {
        let now = instant(now_ns);
        let polled = self
            .interface
            .poll_at(now, &self.sockets)
            .map(|at| at.total_micros() as u64 * 1000);
        let starts = self.clients.iter().map(|client| client.starts_ns);
        let starts = starts.filter(|at| *at > now_ns).min();
        // Slow readers read again after a while.
        let reads = self.clients.iter().any(|client| !client.is_done_reading());
        let reads = reads.then_some(now_ns + 300_000);
        [polled, starts, reads].into_iter().flatten().min()
    }

    /// Returns whether a reset is allowed: both ends are closed, and only late segments are on their way. On a bad
    /// cable the client's end may be so late that the service's `TIME-WAIT` is over.
    pub fn may_be_reset(&self, segment: Segment, is_cable_bad: bool) -> bool {
        let port = segment.source.max(segment.destination);
        let client = &self.clients[usize::from(port - FIRST_PORT)];
        let socket = self.sockets.get::<Socket<'_>>(client.handle);
        client.sent > 0
            && match socket.state() {
                State::Closed | State::TimeWait => true,
                State::LastAck => is_cable_bad && client.is_done_reading(),
                _ => false,
            }
    }

    /// Delivers a frame, but not a duplicate acknowledgement while only the client's FIN is unacknowledged.
    ///
    /// `smoltcp` 0.14 as a client would hang then: it stops its timer and has no data to send again
    /// (`seq_to_transmit`).
    pub fn arrive(&mut self, frame: Vec<u8>) {
        let acknowledgement = segment_in(&frame).filter(|it| it.acknowledgement.is_some());
        if let Some(segment) = acknowledgement {
            let client = &mut self.clients[usize::from(segment.destination - FIRST_PORT)];
            let state = self.sockets.get::<Socket<'_>>(client.handle).state();
            let is_new = client.last_acknowledgement.replace(segment) != Some(segment);
            if matches!(state, State::FinWait1 | State::LastAck) && !is_new {
                return;
            }
        }
        self.port.arrived.push_back(frame);
    }

    pub fn are_done(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.is_done(self.sockets.get(client.handle)))
    }

    pub fn describe(&self) -> String {
        let lines = self.clients.iter().map(|client| {
            let socket = self.sockets.get::<Socket<'_>>(client.handle);
            format!(
                "{:?} sent {}/{} received {}/{} {} {:?}\n",
                client.end,
                client.sent,
                client.to_send.len(),
                client.received,
                client.expected.len(),
                socket.state(),
                client.trouble
            )
        });
        lines.collect()
    }
}

impl Client {
    fn new(sockets: &mut SocketSet<'static>, random: &mut Random) -> Self {
        let receive_bytes = [1000, 4000, 30_000][random.below(3) as usize];
        let buffer = |bytes: usize| SocketBuffer::new(vec![0; bytes]);
        let mut socket = Socket::new(buffer(receive_bytes), buffer(8000));
        socket.set_ack_delay(random.one_in(2).then_some(Duration::from_millis(10)));
        socket.set_timeout(None);
        let mut to_send: Vec<u8> = (0..1 + random.below(9000))
            .map(|_| match random.below(400) {
                0 => LONG,
                byte => b'a' + (byte % 26) as u8,
            })
            .collect();
        let end = [End::ClientAtOnce, End::ClientLast, End::Service][random.below(3) as usize];
        if end == End::Service {
            to_send.push(FAREWELL);
        }
        let mut expected = Vec::new();
        Dialogue::default().answer(&to_send, &mut expected);
        Self {
            handle: sockets.add(socket),
            end,
            to_send,
            sent: 0,
            expected,
            received: 0,
            reads_every: 1 + random.below(6),
            piece_bytes: 1 + random.below(3000) as usize,
            starts_ns: random.below(4_000_000),
            last_acknowledgement: None,
            trouble: None,
        }
    }

    fn has_begun(&self, socket: &Socket<'_>) -> bool {
        socket.state() != State::Closed || self.sent > 0 || self.received > 0
    }

    fn go_on(&mut self, socket: &mut Socket<'_>, random: &mut Random) {
        if socket.may_send() && self.sent < self.to_send.len() && random.one_in(2) {
            let rest = &self.to_send[self.sent..];
            let piece = &rest[..rest.len().min(self.piece_bytes)];
            self.sent += socket.send_slice(piece).unwrap_or(0);
        }
        if random.one_in(self.reads_every) {
            while socket.can_recv() {
                let expected = &self.expected[self.received..];
                let (count, is_right) = socket
                    .recv(|bytes| (bytes.len(), (bytes.len(), expected.starts_with(bytes))))
                    .unwrap();
                if !is_right {
                    self.trouble = Some(format!("wrong bytes from {} on", self.received));
                }
                self.received += count;
            }
        }
        let has_sent = self.sent == self.to_send.len();
        let has_all = has_sent && self.received == self.expected.len();
        let ends = match self.end {
            End::ClientAtOnce => has_sent,
            End::ClientLast => has_all,
            End::Service => has_all && socket.state() == State::CloseWait,
        };
        if ends {
            socket.close();
        }
    }

    fn is_done_reading(&self) -> bool {
        self.received == self.expected.len()
    }

    fn is_done(&self, socket: &Socket<'_>) -> bool {
        let is_over = matches!(socket.state(), State::Closed | State::TimeWait);
        self.trouble.is_some() || (self.sent > 0 && self.is_done_reading() && is_over)
    }
}
