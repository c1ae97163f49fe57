//! Publishing, and subscriptions.

use super::Context;
use crate::connection::Connection;
use crate::subscriptions::Topic;
use key_commands::{Failure, Outcome, Output, Protocol, help, is, too_long};
use resp::{Arguments, Case, Pattern, Step};

pub(super) fn subscribe(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    begin(context, arguments, Topic::Channel)
}

pub(super) fn psubscribe(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    begin(context, arguments, Topic::Pattern)
}

pub(super) fn unsubscribe(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    end(context, arguments, Topic::Channel)
}

pub(super) fn punsubscribe(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    end(context, arguments, Topic::Pattern)
}

fn begin(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, topic: Topic) -> Outcome {
    let word = match topic {
        Topic::Channel => "subscribe",
        Topic::Pattern => "psubscribe",
    };
    let mut names = arguments.from(1);
    while let Some(name) = names.next(context.out) {
        if topic == Topic::Pattern {
            Pattern::new(name, Case::Sensitive, context.out).map_err(too_long)?;
        }
        let Some(client) = context.connections.get_mut(&context.connection) else {
            return Ok(());
        };
        let own = &mut client.subscriptions;
        (context.subscribers).add(context.connection, own, topic, name);
        confirm(context.out, word, Some(name), own.count());
    }
    Ok(())
}

fn end(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, topic: Topic) -> Outcome {
    let word = match topic {
        Topic::Channel => "unsubscribe",
        Topic::Pattern => "punsubscribe",
    };
    let (connection, subscribers) = (context.connection, &mut *context.subscribers);
    let Some(client) = context.connections.get_mut(&connection) else {
        return Ok(());
    };
    let own = &mut client.subscriptions;
    if arguments.len() == 1 {
        let mut has_ended = false;
        while let Some(name) = own.first(topic).cloned() {
            context.out.step();
            subscribers.remove(connection, own, topic, &name);
            confirm(context.out, word, Some(&name), own.count());
            has_ended = true;
        }
        if !has_ended {
            confirm(context.out, word, None, own.count());
        }
    }
    let mut names = arguments.from(1);
    while let Some(name) = names.next(context.out) {
        subscribers.remove(connection, own, topic, name);
        confirm(context.out, word, Some(name), own.count());
    }
    Ok(())
}

/// Writes that a subscription has begun or ended, and how many the client has now.
fn confirm(out: &mut Output<'_>, word: &str, name: Option<&[u8]>, left: usize) {
    out.unasked(|out| {
        out.push(3);
        out.text(word);
        out.bulk_or_null(name);
        out.count(left);
    });
}

pub(super) fn publish(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (channel, message) = (&arguments[1], &arguments[2]);
    let (subscribers, connections) = (&*context.subscribers, &*context.connections);
    let out = &mut *context.out;
    let mut receivers = 0;
    let protocol_of = |id| {
        connections
            .get(&id)
            .map(|client: &Connection| client.protocol)
    };
    for &id in subscribers
        .of(Topic::Channel, channel)
        .into_iter()
        .flatten()
    {
        out.step();
        let Some(protocol) = protocol_of(id) else {
            continue;
        };
        receivers += 1;
        out.write_to(id, protocol, |out| {
            out.push(3);
            out.text("message");
            out.bulk(channel);
            out.bulk(message);
        });
    }
    for (pattern, ids) in subscribers.all(Topic::Pattern) {
        let compiled = Pattern::new(pattern, Case::Sensitive, out).map_err(too_long)?;
        // The star of the pattern language does not match the empty name, but this one does.
        let is_match = pattern.as_slice() == b"*" || compiled.matches(channel, out);
        for &id in ids.iter().filter(|_| is_match) {
            out.step();
            let Some(protocol) = protocol_of(id) else {
                continue;
            };
            receivers += 1;
            out.write_to(id, protocol, |out| {
                out.push(4);
                out.text("pmessage");
                out.bulk(pattern);
                out.bulk(channel);
                out.bulk(message);
            });
        }
    }
    out.count(receivers);
    Ok(())
}

pub(super) fn channels(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (subscribers, out) = (&*context.subscribers, &mut *context.out);
    let pattern = match &arguments.few()[2..] {
        [] => None,
        [pattern] if pattern.as_slice() == b"*" => None,
        [pattern] => Some(Pattern::new(pattern, Case::Sensitive, out).map_err(too_long)?),
        _ => return Err(context.wrong_arity()),
    };
    let is_wanted = |name: &[u8], out: &mut Output<'_>| {
        out.step();
        pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(name, out))
    };
    // Twice: the reply begins with their number.
    let all = || subscribers.all(Topic::Channel);
    let wanted = all().filter(|(name, _)| is_wanted(name, out)).count();
    out.array(wanted);
    for (name, _) in all() {
        if is_wanted(name, out) {
            out.bulk(name);
        }
    }
    Ok(())
}

pub(super) fn numsub(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (subscribers, out) = (&*context.subscribers, &mut *context.out);
    let mut names = arguments.from(2);
    out.map(names.left());
    while let Some(name) = names.next(out) {
        out.bulk(name);
        out.count(
            subscribers
                .of(Topic::Channel, name)
                .map_or(0, |all| all.len()),
        );
    }
    Ok(())
}

pub(super) fn numpat(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let count = context.subscribers.all(Topic::Pattern).count();
    context.out.count(count);
    Ok(())
}

pub(super) fn pubsub_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
        ],
    )
}

/// Checks that a client with subscriptions may run the command: without RESP3 only those about subscriptions, because
/// nobody could tell its replies from messages.
pub(super) fn permit(client: Option<&Connection>, name: &str) -> Outcome {
    const PERMITTED: [&str; 7] = [
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ping",
        "quit",
        "reset",
    ];
    let is_bound = client.is_some_and(|client| {
        client.protocol == Protocol::Resp2 && client.subscriptions.count() > 0
    });
    if is_bound
        && !PERMITTED
            .iter()
            .any(|permitted| is(name.as_bytes(), permitted))
    {
        return Err(Failure::composed(&[
            b"ERR Can't execute '",
            name.as_bytes(),
            b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        ]));
    }
    Ok(())
}
