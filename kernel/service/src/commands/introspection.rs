//! `COMMAND`: the table of commands, for clients that ask.

use super::Context;
use super::table::{COMMANDS, Command};
use key_commands::{
    FAST, FLAG_NAMES, Failure, Outcome, Output, READONLY, WRITE, help, is, key_count, lookup,
    too_long,
};
use resp::{Arguments, Case, Pattern};

pub(super) fn command(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    details_of_all(context.out, &COMMANDS);
    Ok(())
}

pub(super) fn count(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.count(COMMANDS.len());
    Ok(())
}

pub(super) fn info(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut names = arguments.from(2);
    if names.left() == 0 {
        details_of_all(context.out, &COMMANDS);
        return Ok(());
    }
    context.out.array(names.left());
    while let Some(name) = names.next(context.out) {
        match named(name) {
            Some(command) => {
                details(context.out, command);
                details_of_all(context.out, command.subcommands);
            }
            None => context.out.null(),
        }
    }
    Ok(())
}

pub(super) fn docs(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let out = &mut *context.out;
    let mut names = arguments.from(2);
    if names.left() == 0 {
        out.map(COMMANDS.len());
        for command in &COMMANDS {
            documentation(out, command);
            documentation_of_all(out, command.subcommands);
        }
        return Ok(());
    }
    let mut known = 0;
    while let Some(name) = names.next(out) {
        known += usize::from(named(name).is_some());
    }
    out.map(known);
    let mut names = arguments.from(2);
    while let Some(name) = names.next(out) {
        if let Some(command) = named(name) {
            documentation(out, command);
            documentation_of_all(out, command.subcommands);
        }
    }
    Ok(())
}

const NO_SUCH_KEYS: Failure =
    Failure::Fixed("ERR Invalid number of arguments specified for command");

/// Commands whose keys begin behind their number, and where that is.
const COUNTED_KEYS: &[(&str, usize)] = &[
    ("blmpop", 2),
    ("bzmpop", 2),
    ("lmpop", 1),
    ("sintercard", 1),
    ("zdiff", 1),
    ("zdiffstore", 2),
    ("zinter", 1),
    ("zintercard", 1),
    ("zinterstore", 2),
    ("zmpop", 1),
    ("zunion", 1),
    ("zunionstore", 2),
];

pub(super) fn getkeys(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let out = &mut *context.out;
    let command = lookup(&COMMANDS, &arguments[2]);
    let command = command.ok_or(Failure::Fixed("ERR Invalid command specified"))?;
    let length = arguments.len() - 2;
    if !command.takes(length) {
        return Err(Failure::Fixed(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let counted = COUNTED_KEYS.iter().find(|(name, _)| *name == command.name);
    let (first, last, step) = match (counted, command.keys) {
        (Some((_, at)), _) => {
            let count = key_count(arguments, 2 + at, NO_SUCH_KEYS)?;
            (at + 1, at + count, 1)
        }
        (None, (0, ..)) => return Err(Failure::Fixed("ERR The command has no key arguments")),
        (None, (first, last, step)) => {
            let last = match last {
                0.. => last as usize,
                _ => length - usize::from(last.unsigned_abs()),
            };
            (
                usize::from(first.unsigned_abs()),
                last,
                usize::from(step.unsigned_abs()),
            )
        }
    };
    // What is stored has its key before the others; SORT names it behind its options.
    let stores = counted.is_some_and(|(name, _)| name.ends_with("store"));
    let stored_at = match command.name {
        "sort" => stored_by_sort(arguments, out),
        _ => None,
    };
    let others = usize::from(stores) + usize::from(stored_at.is_some());
    out.array((last + 1 - first).div_ceil(step) + others);
    if stores {
        out.bulk(&arguments[3]);
    }
    let mut words = arguments.from(2 + first);
    for at in first..=last {
        let word = words.next(out);
        if (at - first).is_multiple_of(step)
            && let Some(key) = word
        {
            out.bulk(key);
        }
    }
    if let Some(at) = stored_at {
        out.bulk(&arguments[at]);
    }
    Ok(())
}

/// Returns the place of the key in which the `SORT` of `COMMAND GETKEYS` would store, as Redis finds it: the last one
/// counts.
fn stored_by_sort(arguments: &mut Arguments<'_>, out: &mut Output<'_>) -> Option<usize> {
    let (mut at, mut skipped, mut stored_at) = (4, 0, None);
    let mut words = arguments.from(at);
    while let Some(word) = words.next(out) {
        let is_value = skipped > 0;
        if is_value {
            skipped -= 1;
        } else if is(word, "limit") {
            skipped = 2;
        } else if is(word, "by") || is(word, "get") {
            skipped = 1;
        } else if is(word, "store") && words.left() > 0 {
            stored_at = Some(at + 1);
        }
        at += 1;
    }
    stored_at
}

pub(super) fn list(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let out = &mut *context.out;
    let pattern = match &arguments.few()[2..] {
        [] => None,
        [option, kind, pattern] if is(option, "filterby") && is(kind, "pattern") => {
            Some(Pattern::new(pattern, Case::Ignored, out).map_err(too_long)?)
        }
        _ => return Err(Failure::SYNTAX),
    };
    let is_wanted = |out: &mut Output<'_>, command: &Command| {
        (pattern.as_ref()).is_none_or(|pattern| pattern.matches(command.name.as_bytes(), out))
    };
    let names = COMMANDS
        .iter()
        .flat_map(|command| core::iter::once(command).chain(command.subcommands));
    let wanted = names
        .clone()
        .filter(|command| is_wanted(out, command))
        .count();
    out.array(wanted);
    for command in names {
        if is_wanted(out, command) {
            out.text(command.name);
        }
    }
    Ok(())
}

pub(super) fn command_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all commands.",
            "COUNT",
            "    Return the total number of commands in this server.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about commands, about all if none is given.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "INFO [<command-name> ...]",
            "    Return details about commands, about all if none is given.",
            "LIST [FILTERBY PATTERN <pattern>]",
            "    Return a list of all commands in this server.",
        ],
    )
}

/// Finds a command by its name, or a subcommand by `command|subcommand`.
fn named(name: &[u8]) -> Option<&'static Command> {
    let mut parts = name.splitn(2, |&byte| byte == b'|');
    let command = lookup(&COMMANDS, parts.next()?)?;
    match parts.next() {
        None => Some(command),
        Some(subcommand) => lookup(command.subcommands, subcommand),
    }
}

fn details_of_all(out: &mut Output<'_>, commands: &[Command]) {
    out.array(commands.len());
    for command in commands {
        details(out, command);
        // Subcommands have no subcommands, so this needs no recursion.
        out.array(command.subcommands.len());
        for subcommand in command.subcommands {
            details(out, subcommand);
            out.array(0);
        }
    }
}

/// Writes the elements that describe a command, except the tenth, its subcommands.
fn details(out: &mut Output<'_>, command: &Command) {
    let flags = || {
        FLAG_NAMES
            .iter()
            .filter(|(flag, _)| command.flags & flag != 0)
    };
    let (first, last, step) = command.keys;
    out.array(10);
    out.text(command.name);
    out.integer(command.arity.into());
    out.set(flags().count());
    for (_, name) in flags() {
        out.status(name);
    }
    for key in [first, last, step] {
        out.integer(key.into());
    }
    categories(out, command);
    // There are no hints and no key specifications: the three numbers above describe all keys.
    out.array(0);
    out.array(0);
}

/// Access control categories.
fn categories(out: &mut Output<'_>, command: &Command) {
    let access = match command.flags {
        flags if flags & WRITE != 0 => Some("@write"),
        flags if flags & READONLY != 0 => Some("@read"),
        _ => None,
    };
    let group = match command.group {
        "string" => "@string",
        "list" => "@list",
        "hash" => "@hash",
        "set" => "@set",
        "sorted-set" => "@sortedset",
        "generic" => "@keyspace",
        "connection" => "@connection",
        "transactions" => "@transaction",
        "pubsub" => "@pubsub",
        "bitmap" => "@bitmap",
        _ => "@admin",
    };
    let speed = if command.flags & FAST != 0 {
        "@fast"
    } else {
        "@slow"
    };
    out.set(2 + usize::from(access.is_some()));
    for category in access.into_iter().chain([group, speed]) {
        out.status(category);
    }
}

fn documentation_of_all(out: &mut Output<'_>, subcommands: &[Command]) {
    if subcommands.is_empty() {
        return;
    }
    out.text("subcommands");
    out.map(subcommands.len());
    for subcommand in subcommands {
        documentation(out, subcommand);
    }
}

/// Writes a command's name and the map that documents it, except the entry with its subcommands.
fn documentation(out: &mut Output<'_>, command: &Command) {
    let entries = [
        ("summary", command.summary),
        ("since", "1.0.0"),
        ("group", command.group),
    ];
    out.text(command.name);
    out.map(entries.len() + usize::from(!command.subcommands.is_empty()));
    for (name, value) in entries {
        out.text(name);
        out.text(value);
    }
}
