//! The server: applies records, and hands their effects to the host.

use crate::commands::PROTECTED;
use crate::connection::{CANARY, CONSOLE, Connection};
use crate::host::Host;
use crate::limits::ServiceLimits;
use crate::protocol_error::describe;
use crate::record::{ConnectionId, Input, InputRecord, Stamp};
use crate::status::HostStatus;
use alloc::vec::Vec;
use core::mem;
use key_commands::{Failure, Output};
use resp::{Found, Parser, Step};
use service_state::State;
use values::Random;

/// Most keys that one tick removes. The next tick removes the others.
const TICK_REMOVALS_MAX: usize = 512;

/// The server: what it knows, and a buffer for replies.
pub struct Service {
    pub(crate) state: State,
    /// The buffer that replies are collected in, kept so that it is allocated once.
    reply_buffer: Vec<u8>,
}

impl Service {
    /// Makes an empty server.
    pub fn new(limits: ServiceLimits) -> Self {
        Self::of(State::new(limits))
    }

    /// Returns what it knows, which primary and backup compare.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns what it knows, to damage it.
    #[cfg(feature = "testing")]
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Makes a server that knows this.
    pub(crate) fn of(state: State) -> Self {
        Self {
            state,
            reply_buffer: Vec::new(),
        }
    }

    /// Applies one record. Ignores a record for a connection that is not open: there may be some after the service
    /// has closed it.
    pub fn apply(&mut self, record: &InputRecord<'_>, host: &mut impl Host) {
        self.state.keyspace.set_time(record.stamp.time_ms);
        match record.input {
            Input::Open { connection, peer } => self.open(connection, peer, host),
            Input::Bytes {
                connection: CANARY,
                bytes,
            } => self.answer_canary(bytes, record.stamp, host),
            Input::Bytes { connection, bytes } => {
                self.receive(connection, bytes, record.stamp, host);
            }
            Input::Close { connection } => {
                self.forget(connection, host);
            }
            Input::Tick => {
                let mut steps = Steps { host, count: 0 };
                self.state.keyspace.remove_expired(TICK_REMOVALS_MAX);
                self.state.keyspace.collect_garbage(&mut || steps.step());
                self.end_overdue(host);
            }
        }
        // What clients have sent while they waited.
        while let Some((connection, held)) = self.take_freed() {
            if !held.is_empty() {
                self.receive(connection, &held, record.stamp, host);
            }
        }
    }

    /// Refuses input that has stopped two kernels: replies an error and closes the connection. A request that the
    /// connection had begun before is discarded.
    pub fn refuse(&mut self, record: &InputRecord<'_>, host: &mut impl Host) {
        self.state.keyspace.set_time(record.stamp.time_ms);
        let (Input::Open { connection, .. }
        | Input::Bytes { connection, .. }
        | Input::Close { connection }) = record.input
        else {
            return;
        };
        self.forget(connection, host);
        host.reply(
            connection,
            b"-ERR skipped: this request has stopped two kernels; nothing of it was carried out\r\n",
        );
        host.hang_up(connection);
    }

    /// Sets the kernel's status. Replies depend on it, so every kernel has to call this at the same place among the
    /// records.
    pub fn set_status(&mut self, status: HostStatus) {
        self.state.status = status;
    }

    /// Returns whether the primary of `epoch` was asked to hand over, and the time for it is not over at `now_ms`, a
    /// time of records.
    pub fn wants_failover(&self, epoch: u64, now_ms: u64) -> bool {
        self.state
            .failover
            .is_some_and(|failover| failover.is_due(epoch, now_ms))
    }

    /// Returns whether a connection is open.
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.state.connections.contains_key(&connection)
    }

    /// Returns when the next key expires, or the time of a client that waits is over, in ms of the records' time.
    /// Before that an [`Input::Tick`] is not worth journaling. A tick does a bounded number of them, so there may be
    /// another one to do at once.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        let deadline = self.state.blocked.deadlines.first();
        let deadline_ms = deadline.map(|(deadline_ms, _)| *deadline_ms);
        let times = [self.state.keyspace.next_expiry_ms(), deadline_ms];
        times.into_iter().flatten().min()
    }

    /// Returns the number of keys. Expired ones count until they are removed.
    pub fn key_count(&self) -> usize {
        self.state.keyspace.len()
    }

    /// Returns the memory of keys and values, in bytes as the service counts them.
    pub fn used_bytes(&self) -> u64 {
        self.state.keyspace.used_bytes()
    }

    /// Returns the memory that all connections keep, in bytes: incomplete requests and names.
    pub fn pending_bytes(&self) -> usize {
        self.state.pending_bytes
    }

    /// Returns the number of open connections.
    pub fn connection_count(&self) -> usize {
        self.state.connections.len()
    }

    /// Returns a digest of every key, value and deadline, in order. It is the same on all kernels that applied the
    /// same records. It takes time in proportion to the state, and calls `step` for each element.
    pub fn digest(&self, mut step: impl FnMut()) -> u64 {
        self.state.keyspace.digest(&mut step)
    }

    fn open(&mut self, connection: ConnectionId, peer: [u8; 6], host: &mut impl Host) {
        if self.state.connections.contains_key(&connection) {
            return;
        }
        if self.state.connections.len() >= self.state.limits.max_clients {
            self.state.statistics.connections_rejected += 1;
            host.reply(connection, b"-ERR max number of clients reached\r\n");
            host.hang_up(connection);
            return;
        }
        let [a, b, c, d, ..] = peer;
        let is_near = (self.state.limits.near).is_none_or(|near| near.contains([a, b, c, d]));
        let is_open = self.state.limits.password.is_none();
        if is_open && !is_near && connection != CONSOLE {
            self.state.statistics.connections_rejected += 1;
            host.reply(connection, &PROTECTED.line());
            host.hang_up(connection);
            return;
        }
        self.state.statistics.connections_received += 1;
        let is_authenticated = is_open || connection == CONSOLE;
        let client = Connection::new(peer, self.state.keyspace.now_ms(), is_authenticated);
        self.state.connections.insert(connection, client);
    }

    /// Answers a canary, by the way of every request. Its connection exists only meanwhile, and is not counted, so no
    /// client can see it, and a checkpoint does not contain it.
    fn answer_canary(&mut self, bytes: &[u8], stamp: Stamp, host: &mut impl Host) {
        let statistics = self.state.statistics;
        let client = Connection::new([0; 6], self.state.keyspace.now_ms(), true);
        self.state.connections.insert(CANARY, client);
        self.receive(CANARY, bytes, stamp, host);
        self.forget(CANARY, host);
        self.state.statistics = statistics;
    }

    fn receive(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        stamp: Stamp,
        host: &mut impl Host,
    ) {
        let Some(client) = self.state.connections.get_mut(&connection) else {
            return;
        };
        client.last_input_ms = self.state.keyspace.now_ms();
        if client.blocked.is_some() {
            self.state.hold(connection, bytes);
            return self.limit_pending(host);
        }
        self.state.pending_bytes -= client.kept_bytes();
        // Move the parser out, so that commands can use all connections while its arguments are borrowed.
        let mut parser = mem::take(&mut client.parser);
        let mut buffer = mem::take(&mut self.reply_buffer);
        let mut out = Output::new(host, connection, client.protocol, &mut buffer);
        let goes_on = self.requests(connection, bytes, stamp, &mut parser, &mut out);
        out.flush();
        self.reply_buffer = buffer;
        if let Some(client) = self.state.connections.get_mut(&connection) {
            client.parser = parser;
            self.state.pending_bytes += client.kept_bytes();
        }
        if !goes_on {
            self.forget(connection, host);
            host.hang_up(connection);
        }
        self.limit_pending(host);
    }

    /// Disconnects clients while all of them together keep too much.
    fn limit_pending(&mut self, host: &mut impl Host) {
        while self.state.pending_bytes > self.state.limits.max_pending_bytes
            && self.disconnect_largest(host)
        {}
    }

    /// Disconnects the client that keeps most; before others, one that keeps more than its share and sends nothing.
    /// So nobody pays for what another keeps. Returns false if nobody keeps anything.
    fn disconnect_largest(&mut self, host: &mut impl Host) -> bool {
        let share_bytes = self.state.limits.max_pending_bytes / self.state.connections.len().max(1);
        let now_ms = self.state.keyspace.now_ms();
        let clients = self.state.connections.iter();
        let debts = clients.map(|(id, client)| {
            let is_stalled = client.is_stalled(now_ms, share_bytes);
            (is_stalled, client.kept_bytes(), *id)
        });
        let Some((_, 1.., connection)) = debts.max() else {
            return false;
        };
        let failure = Failure::composed(&[
            b"ERR Protocol error: too many bytes in unfinished requests, all connections together may have ",
            itoa::Buffer::new().format(self.state.limits.max_pending_bytes).as_bytes(),
            b", and this one has most",
        ]);
        host.reply(connection, &failure.line());
        self.forget(connection, host);
        host.hang_up(connection);
        true
    }

    /// Runs every request that `input` completes. Returns false if the connection must end.
    fn requests(
        &mut self,
        connection: ConnectionId,
        mut input: &[u8],
        stamp: Stamp,
        parser: &mut Parser,
        out: &mut Output<'_>,
    ) -> bool {
        let mut random = Random::new(stamp.entropy);
        loop {
            let limits = self.request_limits(connection);
            match parser.next(&mut input, &limits, out) {
                Ok(Found::NeedMore) => break,
                Ok(Found::Request) => {
                    self.begin_replies(connection, out);
                    let goes_on = self.request(connection, parser, &mut random, out);
                    parser.finish(out);
                    self.end_replies(connection);
                    self.serve_ready(stamp, out);
                    self.state.keyspace.collect_garbage(&mut || out.step());
                    if !goes_on {
                        return false;
                    }
                    if self.state.hold_rest(connection, input) {
                        break;
                    }
                }
                Err(error) => {
                    out.failure(&describe(&error, self.state.limits.max_request_bytes));
                    return false;
                }
            }
        }
        true
    }

    /// Forgets a connection, and frees what it kept.
    pub(crate) fn forget(&mut self, connection: ConnectionId, host: &mut (impl Host + ?Sized)) {
        self.state.unblock(connection);
        self.state.monitors.remove(&connection);
        if let Some(mut client) = self.state.connections.remove(&connection) {
            self.state.pending_bytes -= client.kept_bytes();
            client.forget_begun(&mut self.state.keyspace);
            (self.state.subscribers).remove_all(connection, &mut client.subscriptions);
            client.parser.finish(&mut Steps { host, count: 0 });
        }
    }
}

/// Counts elements and reports progress to the host, for work without a client to reply to.
struct Steps<'a, H: ?Sized> {
    host: &'a mut H,
    count: u32,
}

impl<H: Host + ?Sized> Step for Steps<'_, H> {
    fn step(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(256) {
            self.host.progress();
        }
    }
}
