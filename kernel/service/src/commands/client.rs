//! Commands about the connection itself.

use super::Context;
use super::auth::{HELLO_FIRST, authenticate};
use super::transactions::forget_begun;
use crate::connection::Replies;
use crate::store::Bytes;
use key_commands::{Failure, Outcome, Protocol, database_number, help, integer, is};
use resp::{Arguments, parse_integer};

/// The Redis version whose replies these are.
pub(super) const REDIS_VERSION: &str = "7.0.15";

const BAD_NAME: Failure =
    Failure::Fixed("ERR Client names cannot contain spaces, newlines or special characters.");

/// Longest name of a client, in bytes. Redis has no limit; the names that its libraries and tools give are shorter.
const NAME_MAX_BYTES: usize = 256;
const NAME_TOO_LONG: Failure = Failure::Fixed("ERR Client names cannot be longer than 256 bytes.");

pub(super) fn ping(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let is_bound = context.client().is_some_and(|client| {
        client.protocol == Protocol::Resp2 && client.subscriptions.count() > 0
    });
    match arguments.few() {
        [_] | [_, _] if is_bound => {
            context.out.array(2);
            context.out.text("pong");
            context
                .out
                .bulk(arguments.few().get(1).map_or(&[][..], Bytes::as_slice));
        }
        [_] => context.out.status("PONG"),
        [_, message] => context.out.bulk(message),
        _ => return Err(context.wrong_arity()),
    }
    Ok(())
}

pub(super) fn echo(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    context.out.bulk(&arguments[1]);
    Ok(())
}

pub(super) fn quit(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.ok();
    context.hang_up = true;
    Ok(())
}

pub(super) fn reset(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let is_authenticated = context.limits.password.is_none();
    if let Some(client) = context.client() {
        client.name = Bytes::new();
        client.is_authenticated = is_authenticated;
        client.database = 0;
        client.protocol = Protocol::Resp2;
        client.replies = Replies::All;
    }
    forget_begun(context);
    let connection = context.connection;
    context.monitors.remove(&connection);
    if let Some(client) = context.connections.get_mut(&connection) {
        (context.subscribers).remove_all(connection, &mut client.subscriptions);
    }
    context.out.speak(Protocol::Resp2);
    context.out.mute(false);
    context.out.status("RESET");
    Ok(())
}

pub(super) fn hello(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut words = arguments.from(1);
    let mut protocol = None;
    if let Some(version) = words.next(context.out) {
        let version = parse_integer(version).ok_or(Failure::Fixed(
            "ERR Protocol version is not an integer or out of range",
        ))?;
        protocol = Some(match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(Failure::Fixed("NOPROTO unsupported protocol version")),
        });
    }
    let mut name = None;
    while let Some(option) = words.next(context.out) {
        if is(option, "auth")
            && words.left() >= 2
            && let Some((user, password)) = words.next_pair(context.out)
        {
            authenticate(context, user, password)?;
        } else if is(option, "setname")
            && let Some(given) = words.next(context.out)
        {
            check_name(given)?;
            name = Some(given);
        } else {
            return Err(Failure::composed(&[
                b"ERR Syntax error in HELLO option '",
                option,
                b"'",
            ]));
        }
    }
    let client = context.client().filter(|client| client.is_authenticated);
    let client = client.ok_or(HELLO_FIRST)?;
    if let Some(name) = name {
        client.name = name.clone();
    }
    client.protocol = protocol.unwrap_or(client.protocol);
    let protocol = client.protocol;
    context.out.speak(protocol);
    let connection = context.connection as i64;
    let out = &mut context.out;
    out.map(7);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        out.text(field);
        out.text(value);
    }
    for (field, value) in [("proto", protocol.version().into()), ("id", connection)] {
        out.text(field);
        out.integer(value);
    }
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        out.text(field);
        out.text(value);
    }
    out.text("modules");
    out.array(0);
    Ok(())
}

pub(super) fn select(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let database = database_number(integer(&arguments[1])?)?;
    if let Some(client) = context.client() {
        client.database = database;
    }
    context.keyspace.select(database);
    context.out.ok();
    Ok(())
}

/// Runs `CLIENT` or `CONFIG` without a subcommand. The arity check has refused that already.
pub(super) fn container(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    Err(context.wrong_arity())
}

pub(super) fn client_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "CLIENT",
        &[
            "GETNAME",
            "    Return the name of the current connection.",
            "ID",
            "    Return the ID of the current connection.",
            "INFO",
            "    Return information about the current client connection.",
            "KILL <ip:port>",
            "    Kill connection made from <ip:port>.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Kill connections. Options are: ADDR, LADDR, TYPE, USER, SKIPME and ID.",
            "LIST [TYPE <type> | ID <id> [<id> ...]]",
            "    Return information about client connections.",
            "NO-EVICT (ON|OFF)",
            "    Accepted; no connection is ever evicted.",
            "REPLY (ON|OFF|SKIP)",
            "    Control the replies sent to the current connection.",
            "SETINFO <option> <value>",
            "    Accepted; nothing is kept.",
            "SETNAME <name>",
            "    Assign the name <name> to the current connection.",
            "UNBLOCK <clientid> [TIMEOUT|ERROR]",
            "    Unblock the specified blocked client.",
        ],
    )
}

pub(super) fn id(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.integer(context.connection as i64);
    Ok(())
}

pub(super) fn getname(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let name = context.client().map(|client| client.name.clone());
    let name = name.filter(|name| !name.is_empty());
    context.out.bulk_or_null(name.as_deref());
    Ok(())
}

pub(super) fn setname(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    check_name(&arguments[2])?;
    if let Some(client) = context.client() {
        client.name = arguments[2].clone();
    }
    context.out.ok();
    Ok(())
}

fn check_name(name: &[u8]) -> Outcome {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(BAD_NAME);
    }
    if name.len() > NAME_MAX_BYTES {
        return Err(NAME_TOO_LONG);
    }
    Ok(())
}

pub(super) fn setinfo(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (option, value) = (&arguments[2], &arguments[3]);
    if !is(option, "lib-name") && !is(option, "lib-ver") {
        return Err(Failure::composed(&[
            b"ERR Unrecognized option '",
            option,
            b"'",
        ]));
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(Failure::composed(&[
            b"ERR ",
            option,
            b" cannot contain spaces, newlines or special characters.",
        ]));
    }
    context.out.ok();
    Ok(())
}

pub(super) fn no_evict(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let on = is(&arguments[2], "on");
    if !on && !is(&arguments[2], "off") {
        return Err(Failure::SYNTAX);
    }
    if let Some(client) = context.client() {
        client.no_evict = on;
    }
    context.out.ok();
    Ok(())
}
