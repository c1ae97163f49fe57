//! The sockets of the status page: a fixed number of them, one request on each connection, and a limit to everything a client can be slow at.

use alloc::vec::Vec;
use core::mem;

use journal::RecentRecords;
use network::Shape;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Duration;
use web::{Piece, REQUEST_BYTES_MAX, Reply};

/// So many clients at once; others are refused, and may try again.
const SOCKETS: usize = 8;
/// How long a client may take for its request, in ns.
const REQUEST_NS_MAX: u64 = 10_000_000_000;
/// How long it may take to read the reply, in ns.
const REPLY_NS_MAX: u64 = 60_000_000_000;
/// How long it may take to close its side, in ns.
const CLOSING_NS_MAX: u64 = 5_000_000_000;

/// The receive buffer is as large as the longest request, which is read where it lies.
const SHAPE: Shape = Shape {
    receive_bytes: REQUEST_BYTES_MAX,
    send_bytes: 8 << 10,
    keep_alive: None,
    // Longer than a client may take for its request: who is too slow is told so, and not reset by the socket at the same moment.
    timeout: Duration::from_secs(20),
};

/// How far a client has got, and since when, in ns since the machine's boot.
enum Stage {
    /// There is none.
    Idle,
    /// It sends its request; so many bytes were looked at.
    Asking { since_ns: u64, seen: usize },
    /// It reads the reply.
    Answering { since_ns: u64, reply: Reply },
    /// Everything is sent; only its own end is missing.
    Closing { since_ns: u64 },
}

/// The sockets.
pub struct PageSockets {
    port: u16,
    clients: Vec<(SocketHandle, Stage)>,
}

/// What clients are answered from.
pub struct Site<'a> {
    /// The records that replies are made of.
    pub records: &'a RecentRecords,
    /// The answer to the bytes so far, if they are a whole request.
    pub answer: &'a mut dyn FnMut(&[u8]) -> Option<Reply>,
}

impl PageSockets {
    /// Makes them; they listen.
    pub fn open(port: u16, sockets: &mut SocketSet<'static>) -> Self {
        let clients = (0..SOCKETS).map(|_| (sockets.add(SHAPE.listening(port)), Stage::Idle));
        Self {
            port,
            clients: clients.collect(),
        }
    }

    /// Goes on with every client as far as it can be done now. Returns whether a reply was begun.
    pub fn serve(
        &mut self,
        sockets: &mut SocketSet<'static>,
        now_ns: u64,
        site: &mut Site<'_>,
    ) -> bool {
        let mut has_replied = false;
        for (handle, stage) in &mut self.clients {
            let socket = sockets.get_mut::<Socket<'static>>(*handle);
            let before = mem::replace(stage, Stage::Idle);
            let is_asking = matches!(before, Stage::Asking { .. });
            *stage = match before {
                Stage::Idle => welcome(socket, self.port, now_ns),
                Stage::Asking { since_ns, seen } => listen_to(socket, since_ns, seen, now_ns, site),
                Stage::Answering { since_ns, reply } => {
                    send(socket, since_ns, reply, now_ns, site.records)
                }
                Stage::Closing { since_ns } => see_off(socket, since_ns, now_ns),
            };
            has_replied |=
                is_asking && matches!(stage, Stage::Answering { .. } | Stage::Closing { .. });
        }
        has_replied
    }
}

fn is_late(since_ns: u64, now_ns: u64, limit_ns: u64) -> bool {
    now_ns.saturating_sub(since_ns) > limit_ns
}

/// Ends a connection at once. The socket listens again in the next round, when the client was told.
fn give_up(socket: &mut Socket<'_>) -> Stage {
    socket.abort();
    Stage::Idle
}

fn welcome(socket: &mut Socket<'_>, port: u16, now_ns: u64) -> Stage {
    match socket.state() {
        State::Established | State::CloseWait => Stage::Asking {
            since_ns: now_ns,
            seen: 0,
        },
        State::Closed | State::TimeWait => {
            socket.abort();
            // A closed socket can listen.
            let _ = socket.listen(port);
            Stage::Idle
        }
        _ => Stage::Idle,
    }
}

fn listen_to(
    socket: &mut Socket<'_>,
    since_ns: u64,
    seen: usize,
    now_ns: u64,
    site: &mut Site<'_>,
) -> Stage {
    let there = socket.recv_queue();
    if there != seen {
        let reply = socket
            .peek(REQUEST_BYTES_MAX)
            .ok()
            .and_then(&mut *site.answer);
        if let Some(reply) = reply {
            return send(socket, now_ns, reply, now_ns, site.records);
        }
    }
    if is_late(since_ns, now_ns, REQUEST_NS_MAX) {
        return send(socket, now_ns, Reply::too_slow(), now_ns, site.records);
    }
    if !socket.may_recv() {
        // It will send no more, and that was no request.
        return give_up(socket);
    }
    Stage::Asking {
        since_ns,
        seen: there,
    }
}

/// Moves as much of the reply into the socket as fits. What the client sends meanwhile is of no interest.
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
        return give_up(socket);
    }
    Stage::Answering { since_ns, reply }
}

fn see_off(socket: &mut Socket<'_>, since_ns: u64, now_ns: u64) -> Stage {
    discard(socket);
    match socket.state() {
        State::Closed | State::TimeWait => Stage::Idle,
        _ if is_late(since_ns, now_ns, CLOSING_NS_MAX) && socket.send_queue() == 0 => {
            give_up(socket)
        }
        _ if is_late(since_ns, now_ns, REPLY_NS_MAX) => give_up(socket),
        _ => Stage::Closing { since_ns },
    }
}

fn discard(socket: &mut Socket<'_>) {
    while socket.can_recv() {
        if socket.recv(|bytes| (bytes.len(), ())).is_err() {
            return;
        }
    }
}
