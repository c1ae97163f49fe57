//! `CLIENT REPLY`, and what of Redis changes when a client gets replies and is refused.

use super::Context;
use crate::connection::Replies;
use key_commands::{Failure, Outcome, is};
use resp::Arguments;

/// Runs `CLIENT REPLY`.
pub(super) fn reply(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let how = &arguments[2];
    let Some(client) = context.connections.get_mut(&context.connection) else {
        return Ok(());
    };
    if is(how, "on") {
        client.replies = Replies::All;
        context.out.mute(false);
        context.out.ok();
    } else if is(how, "off") {
        client.replies = Replies::None;
        context.out.mute(true);
    } else if is(how, "skip") {
        if client.replies != Replies::None {
            client.replies = Replies::AllButNext;
        }
    } else {
        return Err(Failure::SYNTAX);
    }
    Ok(())
}

/// Runs `CLIENT PAUSE`, which is refused: whoever wants a quiet service may stop its clients.
pub(super) fn pause(_: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    Err(Failure::Fixed(
        "ERR CLIENT PAUSE is not supported: a takeover needs no pause of the clients",
    ))
}

/// Runs `CLIENT TRACKING`: it can only be switched off, which it is.
pub(super) fn tracking(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_, _, how] if is(how, "off") => context.out.ok(),
        [_, _, how, ..] if is(how, "on") => {
            return Err(Failure::Fixed(
                "ERR CLIENT TRACKING is not supported: no invalidation would be sent",
            ));
        }
        _ => return Err(Failure::SYNTAX),
    }
    Ok(())
}

pub(super) fn caching(_: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    Err(Failure::Fixed(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

pub(super) fn getredir(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.integer(-1);
    Ok(())
}

pub(super) fn trackinginfo(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let out = &mut *context.out;
    out.map(3);
    out.text("flags");
    out.set(1);
    out.text("off");
    out.text("redirect");
    out.integer(-1);
    out.text("prefixes");
    out.array(0);
    Ok(())
}
