//! Commands: how one is found, what is checked before it runs, and what it can use.

mod auth;
mod client;
mod compute;
mod databases;
mod debug;
mod expiry;
mod failover;
mod hash_fields;
mod hashes;
mod info;
mod introspection;
mod keys;
mod lists;
mod scan;
mod server;
mod sets;
mod string_values;
mod strings;
mod table;
mod transactions;
mod understudy;

use crate::connection::{Connection, Connections};
use crate::limits::ServiceLimits;
use crate::record::ConnectionId;
use crate::reply::{Failure, Outcome, Output};
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::{ENTRY_BYTES, Keyspace, NEW_KEY_BYTES};
pub(crate) use auth::PROTECTED;
pub(crate) use failover::Failover;
use resp::{Arguments, PATTERN_MAX_BYTES, PatternTooLong, Step, heap_bytes, parse_integer};
pub(crate) use table::Command;
use table::{COMMANDS, DENYOOM, lookup_key};
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
    pub(crate) random: &'a mut Random,
    pub(crate) out: &'a mut Output<'h>,
    /// Set by a command that ends the connection.
    pub(crate) hang_up: bool,
    /// Whether `EXEC` runs the command.
    pub(crate) is_in_transaction: bool,
}

impl Context<'_, '_> {
    fn client(&mut self) -> Option<&mut Connection> {
        self.connections.get_mut(&self.connection)
    }

    fn wrong_arity(&self) -> Failure {
        Failure::composed(&[
            b"ERR wrong number of arguments for '",
            self.command.name.as_bytes(),
            b"' command",
        ])
    }

    /// Checks that `growth_bytes` more can be stored. If not, removes expired keys until they can.
    fn room_for(&mut self, growth_bytes: u64) -> Outcome {
        let max_bytes = self.limits.max_memory_bytes;
        if max_bytes == 0 {
            return Ok(());
        }
        while self.keyspace.used_bytes() + growth_bytes > max_bytes {
            self.out.step();
            if self.keyspace.remove_expired(1) == 0 {
                return Err(Failure::OUT_OF_MEMORY);
            }
        }
        Ok(())
    }
}

/// Returns whether this is the beginning of an HTTP request, which a browser may have been tricked into sending.
/// Redis ends such a connection without a reply.
pub(crate) fn is_http(arguments: &mut Arguments<'_>) -> bool {
    arguments
        .few()
        .first()
        .is_some_and(|name| is(name, "host:") || is(name, "post"))
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
        .and_then(|name| lookup(COMMANDS, name))
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
    (command.run)(context, arguments)
}

/// Checks arity, password and memory. What may take memory first removes some of what has expired, so that no rate of
/// keys that live shortly fills it.
pub(crate) fn check(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let command = context.command;
    if !command.takes(arguments.len()) {
        return Err(context.wrong_arity());
    }
    auth::permit(context.connections.get(&context.connection), command)?;
    if command.flags & DENYOOM != 0 {
        context.keyspace.remove_expired(WRITE_REMOVALS);
        let growth_bytes = growth_max_bytes(context.out, arguments);
        context.room_for(growth_bytes)?;
    }
    Ok(())
}

/// Returns the most memory that a command with these arguments can add, in bytes: that of a new collection with a
/// long key and a deadline, if each argument becomes the most expensive element it can be.
fn growth_max_bytes(out: &mut Output<'_>, arguments: &mut Arguments<'_>) -> u64 {
    let key_bytes = arguments
        .few()
        .get(1)
        .map_or(0, |key| heap_bytes(key.len()));
    let mut growth_bytes = NEW_KEY_BYTES + key_bytes;
    let mut words = arguments.from(1);
    while let Some(argument) = words.next(out) {
        growth_bytes += ENTRY_BYTES + heap_bytes(argument.len());
    }
    growth_bytes
}

/// Finds a name, in upper or lower case, in a sorted table. No command's name is longer than a [`lookup_key`] can hold.
fn lookup(commands: &'static [Command], name: &[u8]) -> Option<&'static Command> {
    if name.len() > size_of::<u128>() {
        return None;
    }
    let key = lookup_key(name);
    let index = commands.binary_search_by_key(&key, |command| command.key);
    commands.get(index.ok()?)
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

fn unknown_subcommand(name: &[u8], subcommand: &[u8]) -> Failure {
    Failure::composed(&[
        b"ERR unknown subcommand '",
        &subcommand[..subcommand.len().min(128)],
        b"'. Try ",
        &name.to_ascii_uppercase(),
        b" HELP.",
    ])
}

/// Returns whether an argument is this word, in upper or lower case.
fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

fn integer(argument: &[u8]) -> Result<i64, Failure> {
    parse_integer(argument).ok_or(Failure::NOT_AN_INTEGER)
}

/// Reads a count: an integer that is not negative.
fn count(argument: &[u8]) -> Result<usize, Failure> {
    parse_integer(argument)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or(Failure::NOT_POSITIVE)
}

/// Returns the error of a pattern that is too long.
fn too_long(PatternTooLong: PatternTooLong) -> Failure {
    Failure::composed(&[
        b"ERR pattern is too long, it may have ",
        itoa::Buffer::new().format(PATTERN_MAX_BYTES).as_bytes(),
        b" bytes",
    ])
}

/// Writes the reply of a HELP subcommand.
fn help(out: &mut Output<'_>, name: &str, lines: &[&str]) -> Outcome {
    out.array(lines.len() + 3);
    out.status(&alloc::format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for line in lines {
        out.status(line);
    }
    out.status("HELP");
    out.status("    Prints this help.");
    Ok(())
}
