//! Clients that wait for an element: they are served in the order in which they began, and what they send meanwhile
//! waits with them.

use crate::commands;
use crate::connection::CONSOLE;
use crate::host::Host;
use crate::record::{ConnectionId, Stamp};
use crate::service::Service;
use crate::store::{Bytes, Keyspace, WAIT_BYTES, heap_bytes};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use key_commands::{Context, Failure, Output, Protocol, Wait};
use resp::{Arguments, Step};
use values::Random;

/// Blocked clients whose time is over that one tick serves. The next tick serves the others.
const TICK_TIMEOUTS_MAX: usize = 256;

const UNBLOCKED: Failure = Failure::Fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// What a client waits for.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// Its request, as it sent it, and what that says.
    pub(crate) request: Box<[Bytes]>,
    wait: Wait,
    pub(crate) database: usize,
    /// When its time is over, in ms; `None` for never.
    pub(crate) deadline_ms: Option<u64>,
    /// Its place among all: who began first is served first.
    pub(crate) order: u64,
    /// What it has sent meanwhile.
    pub(crate) held: Vec<u8>,
    kept_bytes: usize,
}

impl Blocked {
    /// Makes it, of a request that is well-formed.
    pub(crate) fn new(
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
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes + 2 * self.held.len()
    }

    /// Begins to wait for its keys.
    pub(crate) fn begin(&self, connection: ConnectionId, keyspace: &mut Keyspace) {
        for key in &self.wait.keys {
            keyspace.begin_wait(self.database, key, (self.order, connection));
        }
    }

    /// Ends the wait for its keys.
    pub(crate) fn end(&self, connection: ConnectionId, keyspace: &mut Keyspace) {
        for key in &self.wait.keys {
            keyspace.end_wait(self.database, key, (self.order, connection));
        }
    }
}

/// All blocked clients, beside what each connection knows.
#[derive(Debug, Default)]
pub(crate) struct BlockedClients {
    /// When their times are over, in ms.
    pub(crate) deadlines: BTreeSet<(u64, ConnectionId)>,
    /// Number of clients that wait.
    pub(crate) count: usize,
    /// Number of clients that have waited so far.
    pub(crate) began: u64,
    /// Those that have got something and may have sent more meanwhile.
    freed: VecDeque<(ConnectionId, Vec<u8>)>,
}

impl Service {
    /// Lets a client wait, from now on.
    pub(crate) fn block_for(
        &mut self,
        connection: ConnectionId,
        request: Box<[Bytes]>,
        wait: Wait,
    ) {
        let deadline_ms = match wait.timeout_ms {
            0 => None,
            timeout_ms => Some(self.keyspace.now_ms().saturating_add(timeout_ms)),
        };
        self.blocked.began += 1;
        let (database, order) = (self.keyspace.selected(), self.blocked.began);
        let blocked = Blocked::new(request, wait, database, deadline_ms, order);
        self.block(connection, blocked);
    }

    /// Lets a client wait. What it keeps is counted afterwards.
    pub(crate) fn block(&mut self, connection: ConnectionId, blocked: Blocked) {
        blocked.begin(connection, &mut self.keyspace);
        let deadline = blocked.deadline_ms.map(|time_ms| (time_ms, connection));
        self.blocked.deadlines.extend(deadline);
        self.blocked.count += 1;
        if let Some(client) = self.connections.get_mut(&connection) {
            client.blocked = Some(Box::new(blocked));
        }
    }

    /// Ends a client's wait. Returns what it has sent meanwhile.
    pub(crate) fn unblock(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
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
    pub(crate) fn hold(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.hold_rest(connection, bytes);
        self.pending_bytes += 2 * bytes.len();
    }

    /// Keeps what a client has sent behind a request that waits; what it keeps is counted afterwards. Returns false if
    /// it does not wait.
    pub(crate) fn hold_rest(&mut self, connection: ConnectionId, bytes: &[u8]) -> bool {
        let client = self.connections.get_mut(&connection);
        let blocked = client.and_then(|client| client.blocked.as_mut());
        blocked.is_some_and(|blocked| {
            blocked.held.extend_from_slice(bytes);
            true
        })
    }

    /// Serves who waits for the keys that have got something.
    pub(crate) fn serve_ready(&mut self, stamp: Stamp, out: &mut Output<'_>) {
        loop {
            let ready = self.keyspace.take_ready();
            if ready.is_empty() {
                return;
            }
            for (database, key) in ready {
                self.serve_key(database, &key, stamp, out);
            }
        }
    }

    fn serve_key(&mut self, database: usize, key: &Bytes, stamp: Stamp, out: &mut Output<'_>) {
        let mut after = None;
        while let Some(waiter) = self.keyspace.next_waiter(database, key, after) {
            after = Some(waiter);
            out.step();
            let (_, connection) = waiter;
            let client = self.connections.get(&connection);
            let Some((client, blocked)) = client.and_then(|it| Some((it, it.blocked.as_ref()?)))
            else {
                continue;
            };
            self.keyspace.select(database);
            let Some(value) = self.keyspace.peek_value(key) else {
                return;
            };
            if !blocked.wait.wish.is_about(value) {
                continue;
            }
            let (keyspace, wish) = (&mut self.keyspace, &blocked.wait.wish);
            let max_memory_bytes = self.limits.max_memory_bytes;
            out.write_to(connection, client.protocol, |out| {
                let taken = wish.take(
                    &mut Context {
                        name: "",
                        keyspace,
                        random: &mut Random::new(stamp.entropy),
                        out,
                        max_memory_bytes,
                    },
                    key,
                );
                if let Err(failure) = taken {
                    out.failure(&failure);
                }
            });
            self.free(connection);
        }
    }

    /// Ends a client's wait, and notes what it has sent meanwhile.
    fn free(&mut self, connection: ConnectionId) {
        if let Some(held) = self.unblock(connection) {
            self.blocked.freed.push_back((connection, held));
        }
    }

    /// Takes the next client that waits no more, with what it has sent meanwhile.
    pub(crate) fn take_freed(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.blocked.freed.pop_front()
    }

    /// Replies to those whose time is over that they have got nothing.
    pub(crate) fn end_overdue(&mut self, host: &mut impl Host) {
        let mut buffer = Vec::new();
        let out = &mut Output::new(host, CONSOLE, Protocol::Resp2, &mut buffer);
        let now_ms = self.keyspace.now_ms();
        for _ in 0..TICK_TIMEOUTS_MAX {
            let Some(&(deadline_ms, connection)) = self.blocked.deadlines.first() else {
                return;
            };
            if deadline_ms > now_ms {
                return;
            }
            out.step();
            self.end_wait(connection, false, out);
        }
    }

    /// Replies to a client that waits that it has got nothing, or an error.
    pub(crate) fn end_wait(
        &mut self,
        connection: ConnectionId,
        is_error: bool,
        out: &mut Output<'_>,
    ) {
        let client = self.connections.get(&connection);
        let protocol = client.map(|client| client.protocol).unwrap_or_default();
        out.write_to(connection, protocol, |out| match is_error {
            false => out.null_array(),
            true => out.failure(&UNBLOCKED),
        });
        self.free(connection);
    }
}

/// Reads what a restored client waits for.
pub(crate) fn restored(request: &mut [Bytes], mut step: &mut dyn FnMut()) -> Option<Wait> {
    let mut arguments = Arguments::new(request);
    let command = commands::blocking_command(arguments.few().first()?)?;
    let is_right = command.takes(arguments.len());
    is_right.then(|| Wait::parse(command.name, &mut arguments, &mut step).ok())?
}
