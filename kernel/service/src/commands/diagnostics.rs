//! `SLOWLOG` and `LATENCY`. How long a command took is not in the journal, so it is no part of the state: both reply as
//! Redis does where they are switched off, and `CONFIG GET` says that they are.

use super::{Context, wrong_subcommand};
use key_commands::{Failure, Outcome, help};
use resp::{Arguments, parse_integer};

pub(super) fn slowlog_get(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_, _] => {}
        [_, _, count] => {
            let count = parse_integer(count).filter(|&count| count >= -1);
            count.ok_or(Failure::Fixed(
                "ERR count should be greater than or equal to -1",
            ))?;
        }
        _ => {
            return Err(wrong_subcommand(&arguments[1], "SLOWLOG"));
        }
    }
    context.out.array(0);
    Ok(())
}

pub(super) fn slowlog_len(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.count(0);
    Ok(())
}

pub(super) fn slowlog_reset(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.ok();
    Ok(())
}

pub(super) fn slowlog_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    )
}

/// Runs `LATENCY LATEST` and `LATENCY HISTORY`: there are no samples.
pub(super) fn no_samples(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.array(0);
    Ok(())
}

pub(super) fn latency_reset(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    let mut events = arguments.from(2);
    while events.next(context.out).is_some() {}
    context.out.count(0);
    Ok(())
}

pub(super) fn latency_graph(_: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let event = &arguments[2];
    Err(Failure::composed(&[
        b"ERR No samples available for event '",
        event,
        b"'",
    ]))
}

pub(super) fn latency_doctor(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.verbatim(
        "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \
         \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep \
         space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n",
    );
    Ok(())
}

pub(super) fn latency_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
        ],
    )
}
