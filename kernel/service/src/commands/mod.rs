//! Commands: how one is found, what is checked before it runs, and what it can use.

mod auth;
mod blocking;
mod client;
mod client_list;
mod client_replies;
mod compute;
mod debug;
mod diagnostics;
mod failover;
mod info;
mod introspection;
mod kill;
mod monitor;
mod pubsub;
mod server;
mod table;
mod transactions;
mod understudy;

use crate::connection::{Connection, Connections};
use crate::limits::ServiceLimits;
use crate::record::ConnectionId;
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::Keyspace;
use crate::subscriptions::Subscribers;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
pub(crate) use auth::PROTECTED;
use key_commands::{
    BLOCKING, DENYOOM, Failure, Outcome, Output, Wait, growth_max_bytes, lookup, wrong_arity,
};
use monitor::When;
use resp::Arguments;
use service_state::failover::Failover;
pub(crate) use table::Command;
use table::{COMMANDS, Run};
use values::Random;

/// Expired keys that a command removes before it may add one.
const WRITE_REMOVALS: usize = 2;

/// What a command can use.
pub(crate) struct Context<'a, 'h> {
    pub(crate) command: &'static Command,
    pub(crate) connection: ConnectionId,
    pub(crate) limits: &'a ServiceLimits,
    pub(crate) statistics: &'a mut Statistics,
    pub(crate) status: &'a HostStatus,
    pub(crate) failover: &'a mut Option<Failover>,
    pub(crate) keyspace: &'a mut Keyspace,
    pub(crate) connections: &'a mut Connections,
    pub(crate) subscribers: &'a mut Subscribers,
    pub(crate) monitors: &'a mut BTreeSet<ConnectionId>,
    pub(crate) random: &'a mut Random,
    pub(crate) out: &'a mut Output<'h>,
    /// Set by a command that has to wait.
    pub(crate) wait: Option<Wait>,
    /// Clients whose wait ends, and whether with an error.
    pub(crate) freed: Vec<(ConnectionId, bool)>,
    /// Other clients whose connections end.
    pub(crate) killed: Vec<ConnectionId>,
    /// Set by a command that ends the connection.
    pub(crate) hang_up: bool,
    /// Whether `EXEC` runs the command.
    pub(crate) is_in_transaction: bool,
}

impl<'h> Context<'_, 'h> {
    fn client(&mut self) -> Option<&mut Connection> {
        self.connections.get_mut(&self.connection)
    }

    fn wrong_arity(&self) -> Failure {
        wrong_arity(self.command.name)
    }

    /// Returns what a command on keys can use.
    fn on_keys(&mut self) -> key_commands::Context<'_, 'h> {
        key_commands::Context {
            name: self.command.name,
            keyspace: self.keyspace,
            random: self.random,
            out: self.out,
            max_memory_bytes: self.limits.max_memory_bytes,
        }
    }

    /// Checks that `growth_bytes` more can be stored.
    fn room_for(&mut self, growth_bytes: u64) -> Outcome {
        self.on_keys().room_for(growth_bytes)
    }
}

/// Returns whether this is the beginning of an HTTP request, which a browser may have been tricked into sending.
/// Redis ends such a connection without a reply.
pub(crate) fn is_http(arguments: &mut Arguments<'_>) -> bool {
    arguments
        .few()
        .first()
        .is_some_and(|name| key_commands::is(name, "host:") || key_commands::is(name, "post"))
}

/// Finds the command or subcommand that a request names.
///
/// # Errors
/// There is none: Redis' error text.
pub(crate) fn find(
    arguments: &mut Arguments<'_>,
    out: &mut Output<'_>,
) -> Result<&'static Command, Failure> {
    let Some(command) = arguments
        .few()
        .first()
        .and_then(|name| lookup(&COMMANDS, name))
    else {
        return Err(unknown_command(arguments, out));
    };
    match arguments.few() {
        [name, subcommand, ..] if !command.subcommands.is_empty() => {
            lookup(command.subcommands, subcommand)
                .ok_or_else(|| unknown_subcommand(name, subcommand))
        }
        _ => Ok(command),
    }
}

/// Returns the command that may have to wait of a name.
pub(crate) fn blocking_command(name: &[u8]) -> Option<&'static Command> {
    lookup(&COMMANDS, name).filter(|command| command.flags & BLOCKING != 0)
}

/// Returns the name of a command or subcommand as it is in the tables; `None` if it is in none of them.
pub(crate) fn name_of(name: &[u8]) -> Option<&'static str> {
    let name = core::str::from_utf8(name).ok()?;
    let mut all = COMMANDS
        .iter()
        .flat_map(|command| core::iter::once(command).chain(command.subcommands));
    all.find(|command| command.name == name)
        .map(|command| command.name)
}

/// Checks whether the command may be run, and runs it. If it fails, its error is the reply.
pub(crate) fn run(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) {
    let outcome = check(context, arguments).and_then(|()| call(context, arguments));
    if let Err(failure) = outcome {
        context.out.failure(&failure);
    }
}

/// Runs the command.
fn call(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let command = context.command;
    context.statistics.commands_processed += 1;
    if let Some(client) = context.client() {
        client.last_command = command.name;
    }
    monitor::show(context, arguments, When::Before);
    let outcome = match command.run {
        Run::OnKeys(run) => run(&mut context.on_keys(), arguments),
        Run::OnService(run) => run(context, arguments),
    };
    // EXEC has run others.
    context.command = command;
    monitor::show(context, arguments, When::After);
    outcome
}

/// Checks arity, password and memory. What may take memory first removes some of what has expired, so that no rate of
/// keys that live shortly fills it.
pub(crate) fn check(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let command = context.command;
    if !command.takes(arguments.len()) {
        return Err(context.wrong_arity());
    }
    let client = context.connections.get(&context.connection);
    auth::permit(client, command)?;
    pubsub::permit(client, command.name)?;
    if command.flags & DENYOOM != 0 {
        context.keyspace.remove_expired(WRITE_REMOVALS);
        let growth_bytes = growth_max_bytes(context.out, arguments);
        context.room_for(growth_bytes)?;
    }
    Ok(())
}

fn unknown_command(arguments: &mut Arguments<'_>, out: &mut Output<'_>) -> Failure {
    const SHOWN_MAX: usize = 128;
    let name = arguments
        .few()
        .first()
        .map_or(&[][..], |name| &name[..name.len().min(SHOWN_MAX)]);
    let name = name.to_vec();
    let mut shown = alloc::vec::Vec::new();
    let mut words = arguments.from(1);
    while shown.len() < SHOWN_MAX
        && let Some(argument) = words.next(out)
    {
        let room = SHOWN_MAX - shown.len();
        shown.push(b'\'');
        shown.extend_from_slice(&argument[..argument.len().min(room)]);
        shown.extend_from_slice(b"' ");
    }
    Failure::composed(&[
        b"ERR unknown command '",
        &name,
        b"', with args beginning with: ",
        &shown,
    ])
}

/// Returns Redis' error for a subcommand with a wrong number of arguments, for what the arity does not say.
fn wrong_subcommand(subcommand: &[u8], command: &str) -> Failure {
    Failure::composed(&[
        b"ERR unknown subcommand or wrong number of arguments for '",
        &subcommand[..subcommand.len().min(128)],
        b"'. Try ",
        command.as_bytes(),
        b" HELP.",
    ])
}

fn unknown_subcommand(name: &[u8], subcommand: &[u8]) -> Failure {
    Failure::composed(&[
        b"ERR unknown subcommand '",
        &subcommand[..subcommand.len().min(128)],
        b"'. Try ",
        &name.to_ascii_uppercase(),
        b" HELP.",
    ])
}
