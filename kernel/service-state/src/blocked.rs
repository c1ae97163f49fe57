//! Clients that wait for an element: they are served in the order in which they began, and what they send meanwhile
//! waits with them.

use crate::record::ConnectionId;
use crate::state::State;
use crate::store::{Bytes, Keyspace, WAIT_BYTES, heap_bytes};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use key_commands::Wait;

/// What a client waits for.
#[derive(Debug)]
pub struct Blocked {
    /// Its request, as it sent it.
    pub request: Box<[Bytes]>,
    /// What that says.
    pub wait: Wait,
    /// The database that it has selected.
    pub database: usize,
    /// When its time is over, in ms; `None` for never.
    pub deadline_ms: Option<u64>,
    /// Its place among all: who began first is served first.
    pub order: u64,
    /// What it has sent meanwhile.
    pub held: Vec<u8>,
    kept_bytes: usize,
}

impl Blocked {
    /// Makes it, of a request that is well-formed.
    pub fn new(
        request: Box<[Bytes]>,
        wait: Wait,
        database: usize,
        deadline_ms: Option<u64>,
        order: u64,
    ) -> Self {
        let bytes_of = |words: &[Bytes]| {
            let strings = words.iter().map(|word| heap_bytes(word.len()) as usize);
            strings.sum::<usize>() + size_of_val(words)
        };
        let index_bytes = bytes_of(&wait.keys) + wait.keys.len() * WAIT_BYTES;
        Self {
            kept_bytes: size_of::<Self>() + 128 + 2 * bytes_of(&request) + index_bytes,
            request,
            wait,
            database,
            deadline_ms,
            order,
            held: Vec::new(),
        }
    }

    /// Returns the memory that it takes, in bytes. A buffer that grows may be twice as large as what is in it.
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes + 2 * self.held.len()
    }

    /// Begins to wait for its keys.
    pub fn begin(&self, connection: ConnectionId, keyspace: &mut Keyspace) {
        for key in &self.wait.keys {
            keyspace.begin_wait(self.database, key, (self.order, connection));
        }
    }

    /// Ends the wait for its keys.
    pub fn end(&self, connection: ConnectionId, keyspace: &mut Keyspace) {
        for key in &self.wait.keys {
            keyspace.end_wait(self.database, key, (self.order, connection));
        }
    }
}

/// All blocked clients, beside what each connection knows.
#[derive(Debug, Default)]
pub struct BlockedClients {
    /// When their times are over, in ms.
    pub deadlines: BTreeSet<(u64, ConnectionId)>,
    /// Number of clients that wait.
    pub count: usize,
    /// Number of clients that have waited so far.
    pub began: u64,
    /// Those that have got something and may have sent more meanwhile.
    pub freed: VecDeque<(ConnectionId, Vec<u8>)>,
}

impl State {
    /// Lets a client wait. What it keeps is counted afterwards.
    pub fn block(&mut self, connection: ConnectionId, blocked: Blocked) {
        blocked.begin(connection, &mut self.keyspace);
        let deadline = blocked.deadline_ms.map(|time_ms| (time_ms, connection));
        self.blocked.deadlines.extend(deadline);
        self.blocked.count += 1;
        if let Some(client) = self.connections.get_mut(&connection) {
            client.blocked = Some(Box::new(blocked));
        }
    }

    /// Ends a client's wait. Returns what it has sent meanwhile.
    pub fn unblock(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        let client = self.connections.get_mut(&connection)?;
        let blocked = client.blocked.take()?;
        self.pending_bytes -= blocked.kept_bytes();
        blocked.end(connection, &mut self.keyspace);
        let deadline = blocked.deadline_ms.map(|time_ms| (time_ms, connection));
        deadline.map(|deadline| self.blocked.deadlines.remove(&deadline));
        self.blocked.count -= 1;
        Some(blocked.held)
    }

    /// Keeps what a blocked client sends.
    pub fn hold(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.hold_rest(connection, bytes);
        self.pending_bytes += 2 * bytes.len();
    }

    /// Keeps what a client has sent behind a request that waits; what it keeps is counted afterwards. Returns false if
    /// it does not wait.
    pub fn hold_rest(&mut self, connection: ConnectionId, bytes: &[u8]) -> bool {
        let client = self.connections.get_mut(&connection);
        let blocked = client.and_then(|client| client.blocked.as_mut());
        blocked.is_some_and(|blocked| {
            blocked.held.extend_from_slice(bytes);
            true
        })
    }
}
