//! `UNDERSTUDY`: requests of the operator to the machine's monitor.
//!
//! The answer comes later, in `INFO replication`: a reply depends on records only, and the monitor's answer is in
//! none yet.

use super::Context;
use super::auth::is_operator;
use crate::host::OperatorCommand;
use key_commands::{Failure, Outcome, help, is};
use resp::Arguments;

const NOT_ALLOWED: Failure = Failure::Fixed(
    "ERR UNDERSTUDY command not allowed: it loads kernels. Boot with admin=1 to allow it to every client.",
);

pub(super) fn understudy(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !is_operator(context.limits, context.connection) {
        return Err(NOT_ALLOWED);
    }
    let command = match &arguments.few()[1..] {
        [word] if is(word, "help") => return show_help(context),
        [word] if is(word, "arm") => OperatorCommand::Arm,
        [word] if is(word, "disarm") => OperatorCommand::Disarm,
        [word] if is(word, "retry") => OperatorCommand::Retry,
        [word, image] if is(word, "load") => OperatorCommand::Load { image },
        _ => {
            return Err(Failure::Fixed(
                "ERR unknown subcommand or wrong number of arguments. Try UNDERSTUDY HELP.",
            ));
        }
    };
    context.out.host().operate(command);
    context.out.status("QUEUED");
    Ok(())
}

fn show_help(context: &mut Context<'_, '_>) -> Outcome {
    help(
        context.out,
        "UNDERSTUDY",
        &[
            "ARM",
            "    Load a backup, if there is none.",
            "DISARM",
            "    Give the backup up.",
            "LOAD <image>",
            "    Verify an image and load it as the backup, in place of the one there is.",
            "RETRY",
            "    Try a refused takeover again.",
            "The answer is in INFO replication: operator_requests, operator_answer and operator_reason.",
            "FAILOVER switches to the backup.",
        ],
    )
}
