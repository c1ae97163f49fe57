//! The sockets of the status page. There is a fixed number of them, each connection serves one request, and every step
//! of a client has a time limit.

use alloc::vec::Vec;
use core::mem;

use journal::RecentRecords;
use network::SocketOptions;
use partition::cmdline::NetworkConfig;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Duration;
use smoltcp::wire::IpAddress;
use web::{Piece, REQUEST_BYTES_MAX, Reply};

/// Number of simultaneous clients. More are refused, and may try again.
const SOCKETS: usize = 8;
/// Longest time that a client may take for its request, in ns.
const REQUEST_NS_MAX: u64 = 10_000_000_000;
/// Longest time that it may take to read the reply, in ns.
const REPLY_NS_MAX: u64 = 60_000_000_000;
/// Longest time that it may take to close its side, in ns.
const CLOSING_NS_MAX: u64 = 5_000_000_000;

/// The receive buffer holds the longest request, which is parsed in place.
const OPTIONS: SocketOptions = SocketOptions {
    receive_bytes: REQUEST_BYTES_MAX,
    send_bytes: 8 << 10,
    keep_alive: None,
    // Longer than `REQUEST_NS_MAX`, so that a slow client gets an answer and not a reset of the socket.
    timeout: Duration::from_secs(20),
};

/// The stage of a client, and when it began, in ns since the machine's boot.
enum Stage {
    /// There is no client.
    Idle,
    /// The client sends its request, of which `seen` bytes were parsed.
    Requesting { since_ns: u64, seen: usize },
    /// The client reads the reply.
    Replying { since_ns: u64, reply: Reply },
    /// Everything is sent, and the client has to close its side.
    Closing { since_ns: u64 },
}

/// The sockets of the status page.
pub struct PageSockets {
    port: u16,
    /// The network whose clients may see the page; `None` for all.
    near: Option<NetworkConfig>,
    clients: Vec<(SocketHandle, Stage)>,
}

/// What replies are made of.
pub struct ReplySource<'a> {
    /// The recent records of programs.
    pub records: &'a RecentRecords,
    /// Returns the reply to the bytes received so far, if they are a whole request.
    pub answer: &'a mut dyn FnMut(&[u8]) -> Option<Reply>,
}

impl PageSockets {
    /// Makes the sockets and lets them listen on `port`. Clients from outside of `near`, if that is given, are reset.
    pub fn open(port: u16, near: Option<NetworkConfig>, sockets: &mut SocketSet<'static>) -> Self {
        let clients = (0..SOCKETS).map(|_| (sockets.add(OPTIONS.listening(port)), Stage::Idle));
        Self {
            port,
            near,
            clients: clients.collect(),
        }
    }

    /// Serves every client as far as possible without waiting. Returns whether a reply was begun.
    pub fn serve(
        &mut self,
        sockets: &mut SocketSet<'static>,
        now_ns: u64,
        source: &mut ReplySource<'_>,
    ) -> bool {
        let mut has_replied = false;
        for (handle, stage) in &mut self.clients {
            let socket = sockets.get_mut::<Socket<'static>>(*handle);
            let before = mem::replace(stage, Stage::Idle);
            let was_requesting = matches!(before, Stage::Requesting { .. });
            *stage = match before {
                Stage::Idle => accept(socket, self.port, self.near.as_ref(), now_ns),
                Stage::Requesting { since_ns, seen } => {
                    receive(socket, since_ns, seen, now_ns, source)
                }
                Stage::Replying { since_ns, reply } => {
                    send(socket, since_ns, reply, now_ns, source.records)
                }
                Stage::Closing { since_ns } => finish(socket, since_ns, now_ns),
            };
            has_replied |=
                was_requesting && matches!(stage, Stage::Replying { .. } | Stage::Closing { .. });
        }
        has_replied
    }
}

/// Returns whether a stage has lasted longer than `limit_ns`.
fn is_late(since_ns: u64, now_ns: u64, limit_ns: u64) -> bool {
    now_ns.saturating_sub(since_ns) > limit_ns
}

/// Resets a connection. The socket listens again in the next round, when the reset was sent.
fn reset(socket: &mut Socket<'_>) -> Stage {
    socket.abort();
    Stage::Idle
}

/// Begins with a client that has connected, or lets the socket listen again.
fn accept(socket: &mut Socket<'_>, port: u16, near: Option<&NetworkConfig>, now_ns: u64) -> Stage {
    match socket.state() {
        State::Established | State::CloseWait if !may_see(socket, near) => reset(socket),
        State::Established | State::CloseWait => Stage::Requesting {
            since_ns: now_ns,
            seen: 0,
        },
        State::Closed | State::TimeWait => {
            socket.abort();
            // Cannot fail: the socket is closed.
            let _ = socket.listen(port);
            Stage::Idle
        }
        _ => Stage::Idle,
    }
}

/// Returns whether the client of a socket may see the page.
fn may_see(socket: &Socket<'_>, near: Option<&NetworkConfig>) -> bool {
    let Some(near) = near else { return true };
    let IpAddress::Ipv4(client) = match socket.remote_endpoint() {
        Some(endpoint) => endpoint.addr,
        None => return false,
    };
    near.is_near(client)
}

/// Looks for a whole request, and begins the reply.
fn receive(
    socket: &mut Socket<'_>,
    since_ns: u64,
    seen: usize,
    now_ns: u64,
    source: &mut ReplySource<'_>,
) -> Stage {
    let arrived = socket.recv_queue();
    if arrived != seen {
        let reply = socket
            .peek(REQUEST_BYTES_MAX)
            .ok()
            .and_then(&mut *source.answer);
        if let Some(reply) = reply {
            return send(socket, now_ns, reply, now_ns, source.records);
        }
    }
    if is_late(since_ns, now_ns, REQUEST_NS_MAX) {
        return send(socket, now_ns, Reply::too_slow(), now_ns, source.records);
    }
    if !socket.may_recv() {
        // The client has closed its side before the end of a request.
        return reset(socket);
    }
    Stage::Requesting {
        since_ns,
        seen: arrived,
    }
}

/// Moves as much of the reply into the socket as fits. Discards what the client sends meanwhile.
fn send(
    socket: &mut Socket<'_>,
    since_ns: u64,
    mut reply: Reply,
    now_ns: u64,
    records: &RecentRecords,
) -> Stage {
    discard(socket);
    while socket.can_send() {
        let sent = match reply.piece(records) {
            Piece::Bytes(bytes) => socket.send_slice(bytes),
            Piece::NotYet => break,
            Piece::End => {
                socket.close();
                return Stage::Closing { since_ns: now_ns };
            }
        };
        let Ok(count) = sent else {
            break;
        };
        reply.sent(count);
    }
    if !socket.may_send() || is_late(since_ns, now_ns, REPLY_NS_MAX) {
        return reset(socket);
    }
    Stage::Replying { since_ns, reply }
}

/// Waits until the client has closed its side, and resets one that does not.
fn finish(socket: &mut Socket<'_>, since_ns: u64, now_ns: u64) -> Stage {
    discard(socket);
    match socket.state() {
        State::Closed | State::TimeWait => Stage::Idle,
        _ if is_late(since_ns, now_ns, CLOSING_NS_MAX) && socket.send_queue() == 0 => reset(socket),
        _ if is_late(since_ns, now_ns, REPLY_NS_MAX) => reset(socket),
        _ => Stage::Closing { since_ns },
    }
}

/// Discards what has arrived.
fn discard(socket: &mut Socket<'_>) {
    while socket.can_recv() {
        if socket.recv(|bytes| (bytes.len(), ())).is_err() {
            return;
        }
    }
}
