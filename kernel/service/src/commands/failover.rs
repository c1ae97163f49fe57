//! `FAILOVER`: the primary hands the machine over to its backup on purpose.

use super::Context;
use super::auth::is_operator;
use key_commands::{Failure, Outcome, is};
use resp::Arguments;
use resp::parse_integer;
use service_state::failover::Failover;

/// Time-out of a `FAILOVER` that names none, in ms.
const TIMEOUT_MS: u64 = 5_000;

const NOT_ALLOWED: Failure = Failure::Fixed(
    "ERR FAILOVER command not allowed: it takes the backup. Boot with admin=1 to allow it to every client.",
);

pub(super) fn failover(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !is_operator(context.limits, context.connection) {
        return Err(NOT_ALLOWED);
    }
    let (epoch, now_ms) = (context.status.epoch, context.keyspace.now_ms());
    let is_pending = context
        .failover
        .is_some_and(|failover| failover.is_due(epoch, now_ms));
    let timeout_ms = match &arguments.few()[1..] {
        [word] if is(word, "abort") => {
            if !is_pending {
                return Err(Failure::Fixed("ERR No failover in progress."));
            }
            *context.failover = None;
            context.out.ok();
            return Ok(());
        }
        [word, timeout_ms] if is(word, "timeout") => parse_integer(timeout_ms)
            .and_then(|ms| u64::try_from(ms).ok())
            .filter(|ms| *ms > 0)
            .ok_or(Failure::Fixed(
                "ERR FAILOVER timeout must be greater than 0",
            ))?,
        [] => TIMEOUT_MS,
        // The backup has no address.
        [word, _, _, ..] if is(word, "to") => {
            return Err(Failure::Fixed(
                "ERR FAILOVER target HOST and PORT is not a replica.",
            ));
        }
        _ => return Err(Failure::SYNTAX),
    };
    if is_pending {
        return Err(Failure::Fixed("ERR FAILOVER already in progress."));
    }
    if !context.status.obstacles.is_none() {
        return Err(Failure::Fixed("ERR FAILOVER requires connected replicas."));
    }
    *context.failover = Some(Failover {
        epoch,
        until_ms: now_ms.saturating_add(timeout_ms),
    });
    context.out.ok();
    Ok(())
}
