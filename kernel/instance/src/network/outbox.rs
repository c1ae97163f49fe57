//! What clients of the service are owed, and how it gets into their sockets.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smoltcp::socket::tcp::Socket;

use super::ConnectionId;
use crate::backlog::Backlog;

/// How long a client that was hung up on may take to close its side, in ns.
const CLOSING_NS_MAX: u64 = 10_000_000_000;

/// A connection's outgoing side.
pub(super) struct Connection {
    pub id: ConnectionId,
    pub backlog: Backlog,
    pub hang_up: bool,
    /// It did not read for too long, and something it is owed was thrown away: nothing more may reach it but the end.
    pub is_doomed: bool,
    /// Since when only the client's own end is missing, in ns.
    pub closing_since_ns: Option<u64>,
}

impl Connection {
    /// Nothing is owed yet.
    pub fn new(id: ConnectionId) -> Self {
        Self {
            id,
            backlog: Backlog::default(),
            hang_up: false,
            is_doomed: false,
            closing_since_ns: None,
        }
    }
}

/// Where replies go.
pub struct Outbox<'a> {
    pub(super) connections: &'a mut Vec<Option<Connection>>,
    pub(super) slot_of: &'a BTreeMap<ConnectionId, usize>,
    pub(super) has_replied: &'a mut bool,
    pub(super) backlog_bytes_max: usize,
}

impl Outbox<'_> {
    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.slot_of
            .get(&id)
            .and_then(|slot| self.connections[*slot].as_mut())
    }

    /// Appends to what a client is owed. One that does not read for too long is hung up on.
    pub fn reply(&mut self, id: ConnectionId, bytes: &[u8]) {
        let (owed, budget) = (self.owed(), self.backlog_bytes_max);
        let Some(connection) = self.connection(id) else {
            return;
        };
        if connection.is_doomed {
            return;
        }
        if owed + bytes.len() > budget {
            connection.backlog.clear();
            connection.is_doomed = true;
        } else {
            connection.backlog.push(bytes);
            *self.has_replied = true;
        }
    }

    /// What all clients together are owed, in bytes.
    fn owed(&self) -> usize {
        let open = self.connections.iter().flatten();
        open.map(|connection| connection.backlog.len()).sum()
    }

    /// Ends a connection when everything owed has been sent.
    pub fn hang_up(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connection(id) {
            connection.hang_up = true;
        }
    }
}

/// Moves as much of the backlog into the socket as fits.
pub(super) fn fill(socket: &mut Socket<'_>, connection: &mut Connection, now_ns: u64) {
    while socket.can_send() && !connection.backlog.is_empty() {
        let Ok(sent) = socket.send_slice(connection.backlog.head()) else {
            break;
        };
        if sent == 0 {
            break;
        }
        connection.backlog.take(sent);
    }
    if connection.is_doomed {
        socket.abort();
    } else if connection.hang_up && connection.backlog.is_empty() {
        socket.close();
        // A client that never closes its side would keep the socket for ever.
        let since_ns = *connection.closing_since_ns.get_or_insert(now_ns);
        if now_ns.saturating_sub(since_ns) > CLOSING_NS_MAX {
            socket.abort();
        }
    }
}
