//! Commands that may have to wait.

use super::{Context, wrong_subcommand};
use crate::store::COUNT_MAX;
use key_commands::{Failure, Outcome, Wait, Wish, integer, is};
use resp::Arguments;

/// Runs a command that may have to wait: takes what is there, or lets the client wait. In a transaction nobody waits.
pub(super) fn wait(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let wait = Wait::parse(context.command.name, arguments, context.out)?;
    if wait.timeout_ms > COUNT_MAX - context.keyspace.now_ms() {
        return Err(Failure::Fixed("ERR timeout is out of range"));
    }
    if wait.take(&mut context.on_keys())? {
        return Ok(());
    }
    match wait.wish {
        _ if !context.is_in_transaction => context.wait = Some(wait),
        Wish::Moved { .. } => context.out.null(),
        _ => context.out.null_array(),
    }
    Ok(())
}

/// Runs `CLIENT UNBLOCK`: ends the wait of a client as if its time were over, or with an error.
pub(super) fn unblock(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let is_error = match &arguments.few()[3..] {
        [] => false,
        [how] if is(how, "timeout") => false,
        [how] if is(how, "error") => true,
        [_] => {
            return Err(Failure::Fixed(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => {
            return Err(wrong_subcommand(&arguments[1], "CLIENT"));
        }
    };
    let id = u64::try_from(integer(&arguments[2])?).ok();
    let client = id.and_then(|id| context.connections.get(&id));
    let is_blocked = client.is_some_and(|client| client.blocked.is_some());
    if let Some(id) = id.filter(|_| is_blocked) {
        context.freed.push((id, is_error));
    }
    context.out.flag(is_blocked);
    Ok(())
}
