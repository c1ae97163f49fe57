//! `COMPUTE`: orders to the machine's compute slices, through its monitor.
//!
//! The answer comes later, in `INFO replication`, as for `UNDERSTUDY`.

use alloc::vec::Vec;

use sharedmem::mailbox::{COMPUTE_TEXT_BYTES, ComputeOrder};

use super::Context;
use super::auth::is_operator;
use crate::host::OperatorCommand;
use key_commands::{Failure, Outcome, help, is};
use resp::Arguments;

const NOT_ALLOWED: Failure = Failure::Fixed(
    "ERR COMPUTE command not allowed: it starts and stops computations. Boot with admin=1 to allow it to every client.",
);

const UNKNOWN: Failure =
    Failure::Fixed("ERR unknown subcommand or wrong number of arguments. Try COMPUTE HELP.");

// The text of the refusal says how much there is room for.
const TOO_LONG: Failure =
    Failure::Fixed("ERR the slice's name and what is to be computed have more than 56 bytes");
const _: () = assert!(COMPUTE_TEXT_BYTES == 56 || cfg!(loom));

pub(super) fn compute(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !is_operator(context.limits, context.connection) {
        return Err(NOT_ALLOWED);
    }
    let [word, words @ ..] = &arguments.few()[1..] else {
        return Err(UNKNOWN);
    };
    let order = match words.len() {
        0 if is(word, "help") => return show_help(context),
        0 if is(word, "list") => ComputeOrder::List,
        1 if is(word, "status") => ComputeOrder::Status,
        1 if is(word, "stop") => ComputeOrder::Stop,
        1 | 2 if is(word, "log") => ComputeOrder::Log,
        2 | 3 if is(word, "result") => ComputeOrder::Result,
        1.. if is(word, "start") => ComputeOrder::Start,
        _ => return Err(UNKNOWN),
    };
    let text: Vec<u8> = words.join(&b' ');
    if text.len() > COMPUTE_TEXT_BYTES {
        return Err(TOO_LONG);
    }
    let text = text.as_slice();
    context
        .out
        .host()
        .operate(OperatorCommand::Compute { order, text });
    context.out.status("QUEUED");
    Ok(())
}

fn show_help(context: &mut Context<'_, '_>) -> Outcome {
    help(
        context.out,
        "COMPUTE",
        &[
            "LIST",
            "    Name all slices, each with what it does.",
            "STATUS <slice>",
            "    Say what a slice does.",
            "START <slice> [what ...]",
            "    Begin anew, with other arguments if some are given.",
            "STOP <slice>",
            "    Stop a slice.",
            "LOG <slice> [<byte>]",
            "    Read a line of its log, or a piece of one: where it begins, where the next one does, the text.",
            "RESULT <slice> <region> [<byte>]",
            "    Read a piece of a region as of the last committed step: the step, the whole length, hexadecimal.",
            "The answer is in INFO replication: operator_requests, operator_answer and operator_reason.",
        ],
    )
}
