//! Commands about the connection itself.

use super::{Context, help, integer, is};
use crate::connection::Connection;
use crate::number::parse_integer;
use crate::record::ConnectionId;
use crate::reply::{Failure, Outcome};
use crate::store::Bytes;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

/// The Redis version whose replies these are.
pub(super) const REDIS_VERSION: &str = "7.0.15";

const BAD_NAME: Failure =
    Failure::Fixed("ERR Client names cannot contain spaces, newlines or special characters.");

pub(super) fn ping(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    match arguments {
        [_] => context.out.status("PONG"),
        [_, message] => context.out.bulk(message),
        _ => return Err(context.wrong_arity()),
    }
    Ok(())
}

pub(super) fn echo(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    context.out.bulk(&arguments[1]);
    Ok(())
}

pub(super) fn quit(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    context.out.ok();
    context.hang_up = true;
    Ok(())
}

pub(super) fn reset(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    if let Some(client) = context.client() {
        client.name = Bytes::new();
    }
    context.out.status("RESET");
    Ok(())
}

pub(super) fn select(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let index = integer(&arguments[1])?;
    if i32::try_from(index).is_err() {
        return Err(Failure::Fixed(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    if index != 0 {
        return Err(Failure::Fixed("ERR DB index is out of range"));
    }
    context.out.ok();
    Ok(())
}

pub(super) fn hello(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let mut rest = arguments[1..].iter();
    if let Some(version) = rest.next() {
        let version = parse_integer(version).ok_or(Failure::Fixed(
            "ERR Protocol version is not an integer or out of range",
        ))?;
        if version != 2 {
            return Err(Failure::Fixed("NOPROTO unsupported protocol version"));
        }
    }
    while let Some(option) = rest.next() {
        let left = rest.as_slice();
        match left {
            [user, _, ..] if is(option, "auth") => {
                // There are no passwords: the default user may give any.
                if user.as_slice() != b"default" {
                    return Err(Failure::Fixed(
                        "WRONGPASS invalid username-password pair or user is disabled.",
                    ));
                }
                rest = left[2..].iter();
            }
            [name, ..] if is(option, "setname") => {
                set_name(context, name)?;
                rest = left[1..].iter();
            }
            _ => {
                return Err(Failure::composed(&[
                    b"ERR Syntax error in HELLO option '",
                    option,
                    b"'",
                ]));
            }
        }
    }
    let connection = context.connection as i64;
    let out = &mut context.out;
    out.array(14);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        out.text(field);
        out.text(value);
    }
    for (field, value) in [("proto", 2), ("id", connection)] {
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

/// Runs `CLIENT` or `CONFIG` without a subcommand. The arity check has refused that already.
pub(super) fn container(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    Err(context.wrong_arity())
}

pub(super) fn client_help(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
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
            "LIST [TYPE <type> | ID <id> [<id> ...]]",
            "    Return information about client connections.",
            "NO-EVICT (ON|OFF)",
            "    Accepted; no connection is ever evicted.",
            "SETINFO <option> <value>",
            "    Accepted; nothing is kept.",
            "SETNAME <name>",
            "    Assign the name <name> to the current connection.",
        ],
    )
}

pub(super) fn id(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    context.out.integer(context.connection as i64);
    Ok(())
}

pub(super) fn getname(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    let name = context.client().map(|client| client.name.clone());
    let name = name.filter(|name| !name.is_empty());
    context.out.bulk_or_null(name.as_deref());
    Ok(())
}

pub(super) fn setname(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    set_name(context, &arguments[2])?;
    context.out.ok();
    Ok(())
}

fn set_name(context: &mut Context<'_, '_>, name: &Bytes) -> Outcome {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(BAD_NAME);
    }
    if let Some(client) = context.client() {
        client.name = name.clone();
    }
    Ok(())
}

pub(super) fn setinfo(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
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

pub(super) fn no_evict(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
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

pub(super) fn info(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    let lines = described(context, |id| id == context.connection);
    context.out.text(&lines);
    Ok(())
}

pub(super) fn list(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let lines = match &arguments[2..] {
        [] => described(context, |_| true),
        [option, name] if is(option, "type") => {
            let known = ["normal", "master", "replica", "slave", "pubsub"];
            if !known.iter().any(|known| is(name, known)) {
                return Err(Failure::composed(&[
                    b"ERR Unknown client type '",
                    name,
                    b"'",
                ]));
            }
            described(context, |_| is(name, "normal"))
        }
        [option, ids @ ..] if is(option, "id") && !ids.is_empty() => {
            let mut lines = String::new();
            for id in ids {
                context.out.step();
                let id = parse_integer(id).ok_or(Failure::Fixed("ERR Invalid client ID"))?;
                if let Ok(id) = ConnectionId::try_from(id)
                    && let Some(client) = context.connections.get(&id)
                {
                    describe(&mut lines, context, id, client);
                }
            }
            lines
        }
        _ => return Err(Failure::SYNTAX),
    };
    context.out.text(&lines);
    Ok(())
}

fn described(context: &Context<'_, '_>, is_wanted: impl Fn(ConnectionId) -> bool) -> String {
    let mut lines = String::new();
    for (&id, client) in context.connections.iter() {
        if is_wanted(id) {
            describe(&mut lines, context, id, client);
        }
    }
    lines
}

/// Writes one line of `CLIENT LIST`, with the fields of Redis. Fields that mean nothing here are 0.
fn describe(lines: &mut String, context: &Context<'_, '_>, id: ConnectionId, client: &Connection) {
    let now_ms = context.keyspace.now_ms();
    let age_s = (now_ms - client.opened_ms) / 1000;
    let idle_s = (now_ms - client.last_input_ms) / 1000;
    let pending_bytes = client.parser.pending_bytes();
    let line = format!(
        "id={id} addr={peer} laddr=0.0.0.0:{port} fd={id} name={name} age={age_s} idle={idle_s} \
         flags={flags} db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf={pending_bytes} qbuf-free=0 \
         argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem={pending_bytes} events=r \
         cmd={command} user=default redir=-1 resp=2",
        peer = client.peer,
        port = context.status.port,
        name = String::from_utf8_lossy(&client.name),
        flags = if client.no_evict { "e" } else { "N" },
        command = client.last_command,
    );
    // Writing to a string cannot fail.
    let _ = writeln!(lines, "{line}");
}
