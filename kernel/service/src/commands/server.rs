//! `ROLE` and `CONFIG`.

use super::{Context, help, is};
use crate::glob::{Case, matches};
use crate::parser::BULK_MAX_BYTES;
use crate::reply::Outcome;
use crate::store::Bytes;
use alloc::string::{String, ToString};

/// Runs `ROLE`. The primary is the master, in Redis' words, and has no replica that a client could connect to.
pub(super) fn role(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    let position = context.status.journal_position;
    let out = &mut context.out;
    out.array(3);
    out.text("master");
    out.integer(position as i64);
    out.array(0);
    Ok(())
}

pub(super) fn config_get(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let parameters: [(&str, String); 8] = [
        ("appendonly", "no".into()),
        ("databases", "1".into()),
        ("maxclients", context.limits.max_clients.to_string()),
        ("maxmemory", context.limits.max_memory_bytes.to_string()),
        ("maxmemory-policy", "noeviction".into()),
        ("port", context.status.port.to_string()),
        ("proto-max-bulk-len", BULK_MAX_BYTES.to_string()),
        ("save", String::new()),
    ];
    let out = &mut context.out;
    let wanted = parameters.map(|(name, value)| {
        let pattern = arguments[2..].iter().find(|pattern| {
            out.step();
            matches(pattern, name.as_bytes(), Case::Ignored, || out.step())
        })?;
        // Redis replies a name as the client wrote it, and a pattern as the names that match.
        let name = if is(pattern, name) {
            pattern
        } else {
            name.as_bytes()
        };
        Some((name, value))
    });
    out.array(2 * wanted.iter().flatten().count());
    for (name, value) in wanted.iter().flatten() {
        out.bulk(name);
        out.text(value);
    }
    Ok(())
}

pub(super) fn config_help(context: &mut Context<'_, '_>, _: &mut [Bytes]) -> Outcome {
    help(
        context.out,
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
        ],
    )
}
