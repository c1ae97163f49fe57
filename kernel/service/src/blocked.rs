//! Clients that wait for an element: they are served in the order in which they began, and what they send meanwhile
//! waits with them.

use crate::connection::CONSOLE;
use crate::host::Host;
use crate::record::{ConnectionId, Stamp};
use crate::service::Service;
use crate::store::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;
use key_commands::{Context, Failure, Output, Protocol, Wait};
use resp::Step;
use service_state::blocked::Blocked;
use values::Random;

/// Blocked clients whose time is over that one tick serves. The next tick serves the others.
const TICK_TIMEOUTS_MAX: usize = 256;

const UNBLOCKED: Failure = Failure::Fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");

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
            timeout_ms => Some(self.state.keyspace.now_ms().saturating_add(timeout_ms)),
        };
        self.state.blocked.began += 1;
        let (database, order) = (self.state.keyspace.selected(), self.state.blocked.began);
        let blocked = Blocked::new(request, wait, database, deadline_ms, order);
        self.state.block(connection, blocked);
    }

    /// Serves who waits for the keys that have got something.
    pub(crate) fn serve_ready(&mut self, stamp: Stamp, out: &mut Output<'_>) {
        loop {
            let ready = self.state.keyspace.take_ready();
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
        while let Some(waiter) = self.state.keyspace.next_waiter(database, key, after) {
            after = Some(waiter);
            out.step();
            let (_, connection) = waiter;
            let client = self.state.connections.get(&connection);
            let Some((client, blocked)) = client.and_then(|it| Some((it, it.blocked.as_ref()?)))
            else {
                continue;
            };
            self.state.keyspace.select(database);
            let Some(value) = self.state.keyspace.peek_value(key) else {
                return;
            };
            if !blocked.wait.wish.is_about(value) {
                continue;
            }
            let (keyspace, wish) = (&mut self.state.keyspace, &blocked.wait.wish);
            let max_memory_bytes = self.state.limits.max_memory_bytes;
            let is_mute = client.replies.are_dropped();
            out.write_to(connection, client.protocol, |out| {
                out.mute(is_mute);
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
        if let Some(held) = self.state.unblock(connection) {
            self.end_replies(connection);
            self.state.blocked.freed.push_back((connection, held));
        }
    }

    /// Takes the next client that waits no more, with what it has sent meanwhile.
    pub(crate) fn take_freed(&mut self) -> Option<(ConnectionId, Vec<u8>)> {
        self.state.blocked.freed.pop_front()
    }

    /// Replies to those whose time is over that they have got nothing.
    pub(crate) fn end_overdue(&mut self, host: &mut impl Host) {
        let mut buffer = Vec::new();
        let out = &mut Output::new(host, CONSOLE, Protocol::Resp2, &mut buffer);
        let now_ms = self.state.keyspace.now_ms();
        for _ in 0..TICK_TIMEOUTS_MAX {
            let Some(&(deadline_ms, connection)) = self.state.blocked.deadlines.first() else {
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
        let client = self.state.connections.get(&connection);
        let protocol = client.map(|client| client.protocol).unwrap_or_default();
        let is_mute = client.is_some_and(|client| client.replies.are_dropped());
        out.write_to(connection, protocol, |out| {
            out.mute(is_mute);
            match is_error {
                false => out.null_array(),
                true => out.failure(&UNBLOCKED),
            }
        });
        self.free(connection);
    }
}
