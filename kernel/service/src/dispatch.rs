//! Finds the command of a request, and runs it or adds it to the client's transaction.

use crate::commands::{self, Command, Context};
use crate::record::ConnectionId;
use crate::service::Service;
use alloc::vec::Vec;
use key_commands::{Failure, Output};
use resp::{Parser, RequestLimits, Step};
use values::Random;

impl Service {
    /// Returns what a request of this client may take. Who has not given the password gets Redis' limits for that.
    pub(crate) fn request_limits(&self, connection: ConnectionId) -> RequestLimits {
        let client = self.state.connections.get(&connection);
        RequestLimits {
            request_bytes: self.state.limits.max_request_bytes,
            is_authenticated: client.is_some_and(|client| client.is_authenticated),
        }
    }

    /// Runs the request in the parser. Returns false if the connection must end.
    pub(crate) fn request(
        &mut self,
        connection: ConnectionId,
        parser: &mut Parser,
        random: &mut Random,
        out: &mut Output<'_>,
    ) -> bool {
        out.step();
        let mut arguments = parser.arguments();
        if commands::is_http(&mut arguments) {
            return false;
        }
        let command = match commands::find(&mut arguments, out) {
            Ok(command) => command,
            Err(failure) => {
                self.refuse_transaction(connection);
                out.failure(&failure);
                return true;
            }
        };
        let client = self.state.connections.get_mut(&connection);
        self.state
            .keyspace
            .select(client.as_ref().map_or(0, |client| client.database));
        let is_queued = client.is_some_and(|client| client.transaction.is_some())
            && !command.is_run_in_a_transaction();
        if is_queued {
            if let Err(failure) = self.queue(connection, command, parser, out) {
                self.refuse_transaction(connection);
                out.failure(&failure);
            }
            return true;
        }
        let mut context = self.context(command, connection, random, out);
        commands::run(&mut context, &mut arguments);
        let (goes_on, wait) = (!context.hang_up, context.wait.take());
        let killed = core::mem::take(&mut context.killed);
        let freed = core::mem::take(&mut context.freed);
        for (freed, is_error) in freed {
            self.end_wait(freed, is_error, out);
        }
        for killed in killed {
            self.forget(killed, out.host());
            out.host().hang_up(killed);
        }
        if let Some(wait) = wait {
            let request = parser.take_arguments();
            self.block_for(connection, request, wait);
        }
        goes_on
    }

    /// Drops the replies of the next request of a client that does not want them.
    pub(crate) fn begin_replies(&self, connection: ConnectionId, out: &mut Output<'_>) {
        let client = self.state.connections.get(&connection);
        out.mute(client.is_some_and(|client| client.replies.are_dropped()));
    }

    /// Notes that a request of a client was carried out. One that waits is not.
    pub(crate) fn end_replies(&mut self, connection: ConnectionId) {
        let client = self.state.connections.get_mut(&connection);
        if let Some(client) = client.filter(|client| client.blocked.is_none()) {
            client.replies = client.replies.after_request();
        }
    }

    /// Returns what a command of a client can use.
    fn context<'a, 'h>(
        &'a mut self,
        command: &'static Command,
        connection: ConnectionId,
        random: &'a mut Random,
        out: &'a mut Output<'h>,
    ) -> Context<'a, 'h> {
        Context {
            command,
            connection,
            limits: &self.state.limits,
            statistics: &mut self.state.statistics,
            status: &self.state.status,
            failover: &mut self.state.failover,
            keyspace: &mut self.state.keyspace,
            connections: &mut self.state.connections,
            subscribers: &mut self.state.subscribers,
            monitors: &mut self.state.monitors,
            random,
            out,
            wait: None,
            freed: Vec::new(),
            killed: Vec::new(),
            hang_up: false,
            is_in_transaction: false,
        }
    }

    /// Adds the request to the client's transaction, if it could be run.
    fn queue(
        &mut self,
        connection: ConnectionId,
        command: &'static Command,
        parser: &mut Parser,
        out: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let random = &mut Random::new(0);
        let context = &mut self.context(command, connection, random, out);
        commands::check(context, &mut parser.arguments())?;
        let max_bytes = self.state.limits.max_request_bytes;
        let client = self.state.connections.get_mut(&connection);
        if let Some(transaction) = client.and_then(|client| client.transaction.as_mut()) {
            transaction.push(parser.take_arguments());
            if transaction.kept_bytes() > max_bytes {
                return Err(Failure::composed(&[
                    b"ERR the transaction is too big, its commands may take ",
                    itoa::Buffer::new().format(max_bytes).as_bytes(),
                    b" bytes",
                ]));
            }
        }
        out.status("QUEUED");
        Ok(())
    }

    /// Notes that nothing of the client's transaction may be carried out, because a request of it was refused.
    fn refuse_transaction(&mut self, connection: ConnectionId) {
        let client = self.state.connections.get_mut(&connection);
        if let Some(transaction) = client.and_then(|client| client.transaction.as_mut()) {
            transaction.refuse();
        }
    }
}
