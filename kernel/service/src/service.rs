//! The server: applies records, and hands their effects to the host.

use crate::commands::{self, Context, Failover};
use crate::connection::{Connection, Connections};
use crate::host::Host;
use crate::limits::ServiceLimits;
use crate::parser::{Found, Parser, ProtocolError};
use crate::random::Random;
use crate::record::{ConnectionId, Input, InputRecord, Stamp};
use crate::reply::{Failure, Output};
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::Keyspace;
use alloc::vec::Vec;
use core::mem;

/// The server: its keyspace, its connections, and their incomplete requests.
pub struct Service {
    pub(crate) limits: ServiceLimits,
    pub(crate) keyspace: Keyspace,
    pub(crate) connections: Connections,
    pub(crate) statistics: Statistics,
    pub(crate) status: HostStatus,
    pub(crate) failover: Option<Failover>,
    pub(crate) pending_bytes: usize,
    /// The buffer that replies are collected in, kept so that it is allocated once.
    reply_buffer: Vec<u8>,
}

impl Service {
    /// Makes an empty server.
    pub fn new(limits: ServiceLimits) -> Self {
        Self {
            keyspace: Keyspace::new(limits.hash_seed),
            connections: Connections::new(),
            statistics: Statistics::default(),
            status: HostStatus::default(),
            failover: None,
            pending_bytes: 0,
            reply_buffer: Vec::new(),
            limits,
        }
    }

    /// Applies one record. Ignores a record for a connection that is not open: there may be some after the service
    /// has closed it.
    pub fn apply(&mut self, record: &InputRecord<'_>, host: &mut impl Host) {
        self.keyspace.set_time(record.stamp.time_ms);
        match record.input {
            Input::Open { connection, peer } => self.open(connection, peer, host),
            Input::Bytes { connection, bytes } => {
                self.receive(connection, bytes, record.stamp, host);
            }
            Input::Close { connection } => {
                if let Some(client) = self.connections.remove(&connection) {
                    self.forget(client.parser, host);
                }
            }
            Input::Tick => {
                self.keyspace.remove_expired();
                self.keyspace.collect_garbage(&mut steps(host));
            }
        }
    }

    /// Refuses input that has stopped two kernels: replies an error and closes the connection. A request that the
    /// connection had begun before is discarded.
    pub fn refuse(&mut self, record: &InputRecord<'_>, host: &mut impl Host) {
        self.keyspace.set_time(record.stamp.time_ms);
        let (Input::Open { connection, .. }
        | Input::Bytes { connection, .. }
        | Input::Close { connection }) = record.input
        else {
            return;
        };
        if let Some(client) = self.connections.remove(&connection) {
            self.forget(client.parser, host);
        }
        host.reply(
            connection,
            b"-ERR skipped: this request has stopped two kernels; nothing of it was carried out\r\n",
        );
        host.hang_up(connection);
    }

    /// Sets the kernel's status. Replies depend on it, so every kernel has to call this at the same place among the
    /// records.
    pub fn set_status(&mut self, status: HostStatus) {
        self.status = status;
    }

    /// Returns whether the primary of `epoch` was asked to hand over, and the time for it is not over at `now_ms`, a
    /// time of records.
    pub fn wants_failover(&self, epoch: u64, now_ms: u64) -> bool {
        self.failover
            .is_some_and(|failover| failover.is_due(epoch, now_ms))
    }

    /// Returns whether a connection is open.
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Returns when the next key expires, in ms of the records' time. Before that an [`Input::Tick`] is not worth
    /// journaling. A tick removes a bounded number of keys, so there may be another one to do at once.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.keyspace.next_expiry_ms()
    }

    /// Returns the number of keys. Expired ones count until they are removed.
    pub fn key_count(&self) -> usize {
        self.keyspace.len()
    }

    /// Returns the memory of keys and values, in bytes as the service counts them.
    pub fn used_bytes(&self) -> u64 {
        self.keyspace.used_bytes()
    }

    /// Returns the memory of incomplete requests, in bytes.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Returns the number of open connections.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Returns a digest of every key, value and deadline, in order. It is the same on all kernels that applied the
    /// same records. It takes time in proportion to the state, and calls `step` for each element.
    pub fn digest(&self, mut step: impl FnMut()) -> u64 {
        self.keyspace.digest(&mut step)
    }

    fn open(&mut self, connection: ConnectionId, peer: [u8; 6], host: &mut impl Host) {
        if self.connections.contains_key(&connection) {
            return;
        }
        if self.connections.len() >= self.limits.max_clients {
            self.statistics.connections_rejected += 1;
            host.reply(connection, b"-ERR max number of clients reached\r\n");
            host.hang_up(connection);
            return;
        }
        self.statistics.connections_received += 1;
        let client = Connection::new(peer, self.keyspace.now_ms());
        self.connections.insert(connection, client);
    }

    fn receive(
        &mut self,
        connection: ConnectionId,
        bytes: &[u8],
        stamp: Stamp,
        host: &mut impl Host,
    ) {
        let Some(client) = self.connections.get_mut(&connection) else {
            return;
        };
        client.last_input_ms = self.keyspace.now_ms();
        // Move the parser out, so that commands can use all connections while its arguments are borrowed.
        let mut parser = mem::take(&mut client.parser);
        self.pending_bytes -= parser.pending_bytes();
        let mut buffer = mem::take(&mut self.reply_buffer);
        let mut out = Output::new(host, connection, &mut buffer);
        let goes_on = self.requests(connection, bytes, stamp, &mut parser, &mut out);
        out.flush();
        self.reply_buffer = buffer;
        self.pending_bytes += parser.pending_bytes();
        if goes_on && let Some(client) = self.connections.get_mut(&connection) {
            client.parser = parser;
        } else {
            self.connections.remove(&connection);
            self.forget(parser, host);
            host.hang_up(connection);
        }
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
            match parser.next(&mut input, self.limits.max_request_bytes, || out.step()) {
                Ok(Found::NeedMore) => break,
                Ok(Found::Request) => {
                    let goes_on = self.request(connection, parser, &mut random, out);
                    parser.finish(|| out.step());
                    self.keyspace.collect_garbage(&mut || out.step());
                    if !goes_on {
                        return false;
                    }
                }
                Err(error) => {
                    out.failure(&self.describe(&error));
                    return false;
                }
            }
        }
        let pending_bytes = self.pending_bytes + parser.pending_bytes();
        if pending_bytes > self.limits.max_pending_bytes {
            out.failure(&Failure::composed(&[
                b"ERR Protocol error: too many bytes in unfinished requests, all connections together may have ",
                itoa::Buffer::new().format(self.limits.max_pending_bytes).as_bytes(),
            ]));
            return false;
        }
        true
    }

    /// Runs the request in the parser. Returns false if the connection must end.
    fn request(
        &mut self,
        connection: ConnectionId,
        parser: &mut Parser,
        random: &mut Random,
        out: &mut Output<'_>,
    ) -> bool {
        out.step();
        if commands::is_http(&parser.arguments) {
            return false;
        }
        let command = match commands::find(&parser.arguments) {
            Ok(command) => command,
            Err(failure) => {
                out.failure(&failure);
                return true;
            }
        };
        self.statistics.commands_processed += 1;
        if let Some(client) = self.connections.get_mut(&connection) {
            client.last_command = command.name;
        }
        let mut context = Context {
            command,
            connection,
            limits: &self.limits,
            statistics: &self.statistics,
            status: &self.status,
            failover: &mut self.failover,
            keyspace: &mut self.keyspace,
            connections: &mut self.connections,
            random,
            out,
            hang_up: false,
        };
        commands::run(&mut context, &mut parser.arguments);
        !context.hang_up
    }

    /// Returns the reply to bytes that are not the protocol, with Redis' text if it has one.
    fn describe(&self, error: &ProtocolError) -> Failure {
        let text = match error {
            ProtocolError::InlineTooLong => "ERR Protocol error: too big inline request",
            ProtocolError::CountTooLong => "ERR Protocol error: too big mbulk count string",
            ProtocolError::LengthTooLong => "ERR Protocol error: too big bulk count string",
            ProtocolError::UnbalancedQuotes => "ERR Protocol error: unbalanced quotes in request",
            ProtocolError::InvalidCount => "ERR Protocol error: invalid multibulk length",
            ProtocolError::InvalidLength => "ERR Protocol error: invalid bulk length",
            ProtocolError::ExpectedBulk { found } => {
                return Failure::composed(&[
                    b"ERR Protocol error: expected '$', got '",
                    &[*found],
                    b"'",
                ]);
            }
            ProtocolError::RequestTooBig => {
                return Failure::composed(&[
                    b"ERR Protocol error: too big request, its arguments may take ",
                    itoa::Buffer::new()
                        .format(self.limits.max_request_bytes)
                        .as_bytes(),
                    b" bytes",
                ]);
            }
        };
        Failure::Fixed(text)
    }

    /// Frees the incomplete request of a connection that is gone.
    fn forget(&mut self, mut parser: Parser, host: &mut impl Host) {
        self.pending_bytes -= parser.pending_bytes();
        parser.finish(steps(host));
    }
}

/// Makes a counter of elements that reports progress to the host, for work without a client to reply to.
fn steps(host: &mut impl Host) -> impl FnMut() {
    let mut count = 0_u32;
    move || {
        count += 1;
        if count.is_multiple_of(256) {
            host.progress();
        }
    }
}
