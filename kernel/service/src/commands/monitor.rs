//! `MONITOR`: shows its client every command that is run.

use super::Context;
use crate::connection::{CANARY, Connection};
use alloc::format;
use alloc::vec::Vec;
use key_commands::{ADMIN, Failure, NO_QUEUE, Outcome, Output, Protocol, is};
use resp::{Arguments, Step};

pub(super) fn monitor(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    if context.is_in_transaction {
        return Err(Failure::Fixed(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    // Who monitors already gets no reply.
    if context.monitors.insert(context.connection) {
        context.out.ok();
    }
    Ok(())
}

/// When a command is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// Shows a command to who monitors, unless it is the operator's. Most are shown before they run, because they may use
/// their arguments up. Those about transactions leave them as they are, and are shown after what they run, as is
/// `SELECT`, with the new database.
pub(super) fn show(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, when: When) {
    let command = context.command;
    let is_after = command.flags & NO_QUEUE != 0 || command.name == "select";
    let is_shown = is_after == (when == When::After) && command.flags & ADMIN == 0;
    if context.monitors.is_empty() || !is_shown || context.connection == CANARY {
        return;
    }
    let Some(client) = context.connections.get(&context.connection) else {
        return;
    };
    let now_ms = context.keyspace.now_ms();
    let head = format!(
        "+{}.{:06} [{} {}]",
        now_ms / 1000,
        now_ms % 1000 * 1000,
        client.database,
        client.peer
    );
    for &monitor in &*context.monitors {
        context.out.step();
        let protocol = context.connections.get(&monitor).map(Connection::protocol);
        (context.out).write_to(monitor, protocol.unwrap_or(Protocol::Resp2), |out| {
            out.raw(head.as_bytes());
            write_words(command.name, arguments, out);
            out.raw(b"\r\n");
        });
    }
}

/// Writes the words of a request, without passwords.
fn write_words(name: &str, arguments: &mut Arguments<'_>, out: &mut Output<'_>) {
    let (mut at, mut secrets) = (0, 0);
    let mut words = arguments.from(0);
    while let Some(word) = words.next(out) {
        let is_secret = secrets > 0 || name == "auth" && at > 0;
        secrets = match secrets {
            0 if name == "hello" && at > 1 && is(word, "auth") => 2,
            0 => 0,
            _ => secrets - 1,
        };
        out.raw(b" \"");
        write_quoted(if is_secret { b"(redacted)" } else { word }, out);
        out.raw(b"\"");
        at += 1;
    }
}

/// Writes a string with what cannot be printed escaped, as Redis does.
fn write_quoted(string: &[u8], out: &mut Output<'_>) {
    const PIECE_BYTES: usize = 1024;
    let mut quoted = Vec::new();
    for piece in string.chunks(PIECE_BYTES) {
        out.step();
        quoted.clear();
        for &byte in piece {
            match byte {
                b'\\' | b'"' => quoted.extend([b'\\', byte]),
                b'\n' => quoted.extend(b"\\n"),
                b'\r' => quoted.extend(b"\\r"),
                b'\t' => quoted.extend(b"\\t"),
                0x07 => quoted.extend(b"\\a"),
                0x08 => quoted.extend(b"\\b"),
                b' '..=b'~' => quoted.push(byte),
                _ => quoted.extend(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        out.raw(&quoted);
    }
}
