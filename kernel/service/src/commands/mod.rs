//! Commands: how one is found, what is checked before it runs, and what it can use.

mod client;
mod debug;
mod expiry;
mod failover;
mod hashes;
mod info;
mod introspection;
mod keys;
mod lists;
mod scan;
mod server;
mod sets;
mod strings;
mod table;
mod understudy;

use crate::connection::{Connection, Connections};
use crate::limits::ServiceLimits;
use crate::number::parse_integer;
use crate::random::Random;
use crate::record::ConnectionId;
use crate::reply::{Failure, Outcome, Output};
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::{Bytes, ENTRY_BYTES, Keyspace, NEW_KEY_BYTES, heap_bytes};
pub(crate) use failover::Failover;
pub(crate) use table::Command;
use table::{COMMANDS, DENYOOM, lookup_key};

/// What a command can use.
pub(crate) struct Context<'a, 'h> {
    pub(crate) command: &'static Command,
    pub(crate) connection: ConnectionId,
    pub(crate) limits: &'a ServiceLimits,
    pub(crate) statistics: &'a Statistics,
    pub(crate) status: &'a HostStatus,
    pub(crate) failover: &'a mut Option<Failover>,
    pub(crate) keyspace: &'a mut Keyspace,
    pub(crate) connections: &'a mut Connections,
    pub(crate) random: &'a mut Random,
    pub(crate) out: &'a mut Output<'h>,
    /// Set by a command that ends the connection.
    pub(crate) hang_up: bool,
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

    /// Checks that `growth_bytes` more can be stored.
    fn room_for(&self, growth_bytes: u64) -> Outcome {
        let max_bytes = self.limits.max_memory_bytes;
        if max_bytes != 0 && self.keyspace.used_bytes() + growth_bytes > max_bytes {
            return Err(Failure::OUT_OF_MEMORY);
        }
        Ok(())
    }
}

/// Returns whether this is the beginning of an HTTP request, which a browser may have been tricked into sending.
/// Redis ends such a connection without a reply.
pub(crate) fn is_http(arguments: &[Bytes]) -> bool {
    arguments
        .first()
        .is_some_and(|name| is(name, "host:") || is(name, "post"))
}

/// Finds the command or subcommand that a request names.
///
/// # Errors
/// There is none: Redis' error text.
pub(crate) fn find(arguments: &[Bytes]) -> Result<&'static Command, Failure> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(unknown_command(b"", &[]));
    };
    let command = lookup(COMMANDS, name).ok_or_else(|| unknown_command(name, rest))?;
    match rest.first() {
        Some(subcommand) if !command.subcommands.is_empty() => {
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

/// Checks arity and memory, and runs the command. If it fails, its error is the reply.
pub(crate) fn run(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) {
    if let Err(failure) = checked(context, arguments) {
        context.out.failure(&failure);
    }
}

fn checked(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let command = context.command;
    if !command.takes(arguments.len()) {
        return Err(context.wrong_arity());
    }
    if command.flags & DENYOOM != 0 {
        let growth_bytes = growth_max_bytes(context.out, arguments);
        context.room_for(growth_bytes)?;
    }
    (command.run)(context, arguments)
}

/// Returns the most memory that a command with these arguments can add, in bytes: that of a new collection with a
/// long key and a deadline, if each argument becomes the most expensive element it can be.
fn growth_max_bytes(out: &mut Output<'_>, arguments: &[Bytes]) -> u64 {
    let key_bytes = arguments.get(1).map_or(0, |key| heap_bytes(key.len()));
    let mut growth_bytes = NEW_KEY_BYTES + key_bytes;
    for argument in &arguments[1..] {
        out.step();
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

fn unknown_command(name: &[u8], rest: &[Bytes]) -> Failure {
    const SHOWN_MAX: usize = 128;
    let mut shown = alloc::vec::Vec::new();
    for argument in rest {
        if shown.len() >= SHOWN_MAX {
            break;
        }
        let room = SHOWN_MAX - shown.len();
        shown.push(b'\'');
        shown.extend_from_slice(&argument[..argument.len().min(room)]);
        shown.extend_from_slice(b"' ");
    }
    Failure::composed(&[
        b"ERR unknown command '",
        &name[..name.len().min(SHOWN_MAX)],
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
