//! Commands that may have to wait.

use super::Context;
use crate::store::COUNT_MAX;
use key_commands::{Failure, Outcome, Wait, Wish};
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
