//! Commands that give keys other names, copy them, or tell of them.

use crate::databases::number;
use crate::reply::{Failure, Outcome, Output};
use crate::{Context, help, integer, is};
use keyspace::{Bytes, Entry, Value};
use resp::{Arguments, Step, parse_integer};

pub(crate) fn rename(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    move_name(context, arguments, true)?;
    context.out.ok();
    Ok(())
}

pub(crate) fn renamenx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let is_moved = move_name(context, arguments, false)?;
    context.out.flag(is_moved);
    Ok(())
}

/// Moves the value of the first key to the second. Returns false if that is there and is not to be replaced.
fn move_name(
    context: &mut Context<'_, '_>,
    arguments: &Arguments<'_>,
    may_replace: bool,
) -> Result<bool, Failure> {
    let place = context.keyspace.locate(&arguments[1]);
    if place.slot.is_none() {
        return Err(Failure::NO_SUCH_KEY);
    }
    if arguments[1] == arguments[2] {
        return Ok(may_replace);
    }
    if !may_replace && context.keyspace.locate(&arguments[2]).slot.is_some() {
        return Ok(false);
    }
    // The second key may have been removed, so the first one's place may have changed.
    let place = context.keyspace.locate(&arguments[1]);
    if let Some((value, deadline_ms)) = context.keyspace.take(&place) {
        context.keyspace.store(&arguments[2], value, deadline_ms);
    }
    Ok(true)
}

pub(crate) fn copy(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let source = context.keyspace.selected();
    let (mut database, mut may_replace) = (source, false);
    let mut options = arguments.from(3);
    while let Some(option) = options.next(context.out) {
        if is(option, "replace") {
            may_replace = true;
        } else if is(option, "db")
            && let Some(index) = options.next(context.out)
        {
            database = number(integer(index)?)?;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if database == source && arguments[1] == arguments[2] {
        return Err(Failure::Fixed(
            "ERR source and destination objects are the same",
        ));
    }
    context.keyspace.select(database);
    let is_there = context.keyspace.locate(&arguments[2]).slot.is_some();
    context.keyspace.select(source);
    let entry = context.keyspace.entry(&arguments[1]);
    let Some(entry) = entry.filter(|_| may_replace || !is_there) else {
        context.out.flag(false);
        return Ok(());
    };
    let growth_bytes = entry.value.payload_bytes();
    context.room_for(growth_bytes)?;
    let (out, seed) = (&mut *context.out, context.keyspace.seed());
    let copied = context.keyspace.entry(&arguments[1]).map(|entry| {
        let value = entry.value.copied(seed, &mut || out.step());
        (value, entry.deadline_ms)
    });
    if let Some((value, deadline_ms)) = copied {
        context.keyspace.select(database);
        context.keyspace.store(&arguments[2], value, deadline_ms);
        context.keyspace.select(source);
    }
    context.out.flag(true);
    Ok(())
}

pub(crate) fn randomkey(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let table = context.keyspace.table();
    // As in Redis: of many that have expired, one may be the answer.
    for _ in 0..100 {
        let slot = table.nth(context.random.below(table.len()));
        if let Some((key, entry)) = slot.and_then(|slot| table.entry(slot))
            && !context.keyspace.is_expired(entry)
        {
            context.out.bulk(key);
            return Ok(());
        }
    }
    context.out.null();
    Ok(())
}

pub(crate) fn object_help(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    help(
        context.out,
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    )
}

/// Writes what `tell` says of the key, or null.
fn tell(
    context: &mut Context<'_, '_>,
    arguments: &Arguments<'_>,
    tell: impl FnOnce(&mut Output<'_>, &Entry) -> Outcome,
) -> Outcome {
    match context.keyspace.entry(&arguments[2]) {
        None => context.out.null(),
        Some(entry) => tell(context.out, entry)?,
    }
    Ok(())
}

/// Runs `OBJECT ENCODING`: tells which encoding Redis would use for such a value with its default configuration.
pub(crate) fn encoding(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell(context, arguments, |out, entry| {
        out.text(encoding_of(&entry.value));
        Ok(())
    })
}

fn encoding_of(value: &Value) -> &'static str {
    const LISTPACK_ENTRIES_MAX: usize = 128;
    const LISTPACK_BYTES_MAX: usize = 64;
    const INTSET_ENTRIES_MAX: usize = 512;
    const EMBEDDED_BYTES_MAX: usize = 44;
    let is_short = |string: &Bytes| string.len() <= LISTPACK_BYTES_MAX;
    let is_integer = |string: &Bytes| parse_integer(string).is_some();
    let has = |count_max| value.string_count() <= count_max;
    match value {
        Value::String(string) if is_integer(string) => "int",
        Value::String(string) if string.len() <= EMBEDDED_BYTES_MAX => "embstr",
        Value::String(_) => "raw",
        Value::List(_) => "quicklist",
        Value::Hash(_) if has(2 * LISTPACK_ENTRIES_MAX) && value.strings(0).all(is_short) => {
            "listpack"
        }
        Value::SortedSet(_) if has(2 * LISTPACK_ENTRIES_MAX) && value.strings(0).all(is_short) => {
            "listpack"
        }
        Value::SortedSet(_) => "skiplist",
        Value::Set(_) if has(INTSET_ENTRIES_MAX) && value.strings(0).all(is_integer) => "intset",
        Value::Hash(_) | Value::Set(_) => "hashtable",
    }
}

pub(crate) fn refcount(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell(context, arguments, |out, _| {
        out.integer(1);
        Ok(())
    })
}

pub(crate) fn idletime(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell(context, arguments, |out, _| {
        out.integer(0);
        Ok(())
    })
}

pub(crate) fn freq(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell(context, arguments, |_, _| {
        Err(Failure::Fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ))
    })
}

pub(crate) fn memory_usage(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    let mut options = arguments.from(3);
    while let Some(option) = options.next(context.out) {
        let count = options.next(context.out).ok_or(Failure::SYNTAX)?;
        if !is(option, "samples") || integer(count)? < 0 {
            return Err(Failure::SYNTAX);
        }
    }
    let key_bytes = keyspace::heap_bytes(arguments[2].len());
    tell(context, arguments, |out, entry| {
        let bytes = keyspace::ENTRY_BYTES + key_bytes + entry.value.payload_bytes();
        out.integer(bytes as i64);
        Ok(())
    })
}
