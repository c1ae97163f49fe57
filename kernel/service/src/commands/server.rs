//! `ROLE`, `CONFIG`, `TIME`, and what belongs to servers that this one is not.

use super::Context;
use crate::store::DATABASES;
use alloc::string::{String, ToString};
use key_commands::{Failure, Outcome, help, is, too_long};
use resp::{Arguments, BULK_MAX_BYTES, Case, Pattern, parse_integer};

/// Number of configuration parameters.
const PARAMETERS: usize = 24;

fn parameters(context: &Context<'_, '_>) -> [(&'static str, String); PARAMETERS] {
    [
        ("appendonly", "no".into()),
        ("databases", DATABASES.to_string()),
        ("latency-monitor-threshold", "0".into()),
        ("maxclients", context.limits.max_clients.to_string()),
        ("maxmemory", context.limits.max_memory_bytes.to_string()),
        ("maxmemory-policy", "noeviction".into()),
        ("notify-keyspace-events", String::new()),
        ("port", context.status.port.to_string()),
        ("proto-max-bulk-len", BULK_MAX_BYTES.to_string()),
        ("save", String::new()),
        ("slowlog-log-slower-than", "-1".into()),
        ("slowlog-max-len", "128".into()),
        ("hash-max-listpack-entries", "128".into()),
        ("hash-max-listpack-value", "64".into()),
        ("hash-max-ziplist-entries", "128".into()),
        ("hash-max-ziplist-value", "64".into()),
        ("list-compress-depth", "0".into()),
        ("list-max-listpack-size", "-2".into()),
        ("list-max-ziplist-size", "-2".into()),
        ("set-max-intset-entries", "512".into()),
        ("zset-max-listpack-entries", "128".into()),
        ("zset-max-listpack-value", "64".into()),
        ("zset-max-ziplist-entries", "128".into()),
        ("zset-max-ziplist-value", "64".into()),
    ]
}

/// Returns whether a parameter is about how Redis encodes values. Here it has no effect, so any number may be set.
fn is_about_encoding(name: &str) -> bool {
    ["hash-", "list-", "set-", "zset-"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

/// Runs `ROLE`. The primary is the master, in Redis' words, and has no replica that a client could connect to.
pub(super) fn role(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let position = context.status.journal_position;
    let out = &mut context.out;
    out.array(3);
    out.text("master");
    out.integer(position as i64);
    out.array(0);
    Ok(())
}

pub(super) fn config_get(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let parameters = parameters(context);
    let out = &mut *context.out;
    // Redis replies a name as the client wrote it, and a pattern as the names that match.
    let mut names: [Option<&[u8]>; PARAMETERS] = [None; PARAMETERS];
    let mut patterns = arguments.from(2);
    while let Some(pattern) = patterns.next(out) {
        let is_plain = !pattern.iter().any(|byte| b"*?[\\".contains(byte));
        let compiled = match is_plain {
            true => None,
            false => Some(Pattern::new(pattern, Case::Ignored, out).map_err(too_long)?),
        };
        for (wanted, (name, _)) in names.iter_mut().zip(&parameters) {
            let found = match &compiled {
                None => is(pattern, name).then_some(pattern.as_slice()),
                Some(pattern) => (pattern.matches(name.as_bytes(), out)).then_some(name.as_bytes()),
            };
            *wanted = wanted.or(found);
        }
    }
    out.map(names.iter().flatten().count());
    for (name, (_, value)) in names.iter().zip(&parameters) {
        if let Some(name) = name {
            out.bulk(name);
            out.text(value);
        }
    }
    Ok(())
}

/// Runs `CONFIG SET`. Parameters are set at boot: one may be set to what it is. Those about encodings are accepted,
/// and change nothing.
pub(super) fn config_set(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !arguments.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    let parameters = parameters(context);
    let mut pairs = arguments.from(2);
    while let Some((name, value)) = pairs.next_pair(context.out) {
        let parameter = parameters.iter().find(|(known, _)| is(name, known));
        let Some((known, current)) = parameter else {
            return Err(Failure::composed(&[
                b"ERR Unknown option or number of arguments for CONFIG SET - '",
                &name[..name.len().min(128)],
                b"'",
            ]));
        };
        let is_number = parse_integer(value).is_some();
        let may_be_set = is(value, current) || is_about_encoding(known) && is_number;
        if !may_be_set {
            return Err(Failure::composed(&[
                b"ERR CONFIG SET failed (possibly related to argument '",
                known.as_bytes(),
                b"') - can't set immutable config",
            ]));
        }
    }
    context.out.ok();
    Ok(())
}

pub(super) fn config_resetstat(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    *context.statistics = Default::default();
    context.keyspace.reset_expired();
    context.out.ok();
    Ok(())
}

pub(super) fn time(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let now_ms = context.keyspace.now_ms();
    context.out.array(2);
    for number in [now_ms / 1000, now_ms % 1000 * 1000] {
        context.out.text(itoa::Buffer::new().format(number));
    }
    Ok(())
}

/// Runs `FUNCTION FLUSH`. There are no functions, so it has nothing to do.
pub(super) fn function_flush(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    match arguments.few() {
        [_, _] => {}
        [_, _, how] if is(how, "sync") || is(how, "async") => {}
        _ => {
            return Err(Failure::Fixed(
                "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
            ));
        }
    }
    context.out.ok();
    Ok(())
}

/// Runs `READONLY` and `READWRITE`, which are for clusters.
pub(super) fn cluster_only(_: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    Err(Failure::Fixed(
        "ERR This instance has cluster support disabled",
    ))
}

pub(super) fn config_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Parameters are set at boot: one may be set to what it is.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
        ],
    )
}
