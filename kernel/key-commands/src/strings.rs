//! Commands on strings.

use crate::expiry::{Unit, absolute_deadline};
use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use core::mem;
use keyspace::{Bytes, Deadline, Keyspace, Kind, Place, Value};
use resp::{Arguments, BULK_MAX_BYTES, Words, format_integer, parse_integer};

/// Most memory that `APPEND` reserves beyond what it needs, in bytes (Redis' `SDS_MAX_PREALLOC`).
const SPARE_MAX_BYTES: usize = 1024 * 1024;

pub(crate) fn get(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    context.out.bulk_or_null(value.map(Bytes::as_slice));
    Ok(())
}

/// The condition under which `SET` stores the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfAbsent,
    IfPresent,
}

struct SetOptions {
    condition: Condition,
    get: bool,
    deadline: Deadline,
}

pub(crate) fn set(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let options = set_options(context, arguments.from(3))?;
    let place = context.keyspace.locate(&arguments[1]);
    if options.get {
        let old = string_at(context.keyspace, &place)?;
        context.out.bulk_or_null(old.map(Bytes::as_slice));
    }
    let refused = match options.condition {
        Condition::Always => false,
        Condition::IfAbsent => place.slot.is_some(),
        Condition::IfPresent => place.slot.is_none(),
    };
    if !refused {
        put_string(context, &place, arguments, options.deadline);
    }
    match (options.get, refused) {
        (true, _) => {}
        (false, true) => context.out.null(),
        (false, false) => context.out.ok(),
    }
    Ok(())
}

fn set_options(context: &mut Context<'_, '_>, mut words: Words<'_>) -> Result<SetOptions, Failure> {
    let mut options = SetOptions {
        condition: Condition::Always,
        get: false,
        deadline: Deadline::Clear,
    };
    let mut keep = false;
    let mut expire: Option<(&str, &Bytes)> = None;
    while let Some(option) = words.next(context.out) {
        if is(option, "nx") && options.condition != Condition::IfPresent {
            options.condition = Condition::IfAbsent;
        } else if is(option, "xx") && options.condition != Condition::IfAbsent {
            options.condition = Condition::IfPresent;
        } else if is(option, "get") {
            options.get = true;
        } else if is(option, "keepttl") && expire.is_none() {
            keep = true;
            options.deadline = Deadline::Keep;
        } else {
            let names = ["ex", "px", "exat", "pxat"];
            let name = names.into_iter().find(|name| is(option, name));
            let name = name.ok_or(Failure::SYNTAX)?;
            let time = words.next(context.out).ok_or(Failure::SYNTAX)?;
            // Redis accepts the same option twice, and the last one counts.
            if keep || expire.is_some_and(|(other, _)| other != name) {
                return Err(Failure::SYNTAX);
            }
            expire = Some((name, time));
        }
    }
    if let Some((name, time)) = expire {
        let unit = if name.starts_with('e') {
            Unit::Seconds
        } else {
            Unit::Milliseconds
        };
        let from_now = !name.ends_with("at");
        options.deadline = Deadline::At(absolute_deadline(context, time, unit, from_now)?);
    }
    Ok(options)
}

pub(crate) fn setnx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let place = context.keyspace.locate(&arguments[1]);
    let is_new = place.slot.is_none();
    if is_new {
        put_string(context, &place, arguments, Deadline::Clear);
    }
    context.out.flag(is_new);
    Ok(())
}

pub(crate) fn getset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let place = context.keyspace.locate(&arguments[1]);
    let old = string_at(context.keyspace, &place)?;
    context.out.bulk_or_null(old.map(Bytes::as_slice));
    put_string(context, &place, arguments, Deadline::Clear);
    Ok(())
}

pub(crate) fn mget(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    context.out.array(arguments.len() - 1);
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        let value = context.keyspace.read::<Bytes>(key).unwrap_or(None);
        context.out.bulk_or_null(value.map(Bytes::as_slice));
    }
    Ok(())
}

pub(crate) fn mset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if arguments.len().is_multiple_of(2) {
        return Err(context.wrong_arity());
    }
    let mut pairs = arguments.from(1);
    while let Some((key, value)) = pairs.next_pair(context.out) {
        let place = context.keyspace.locate(key);
        let value = Value::String(mem::take(value));
        context
            .keyspace
            .put(&place, mem::take(key), value, Deadline::Clear);
    }
    context.out.ok();
    Ok(())
}

pub(crate) fn append(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let tail = mem::take(&mut arguments[2]);
    let old = context.keyspace.read::<Bytes>(&arguments[1])?;
    if old.map_or(0, |old| old.len()) + tail.len() > BULK_MAX_BYTES {
        return Err(Failure::STRING_TOO_LONG);
    }
    let key = mem::take(&mut arguments[1]);
    let length = context.keyspace.append(key, |string| {
        if string.is_empty() {
            *string = tail;
        } else {
            if string.capacity() - string.len() < tail.len() {
                string.reserve_exact(tail.len() + string.len().min(SPARE_MAX_BYTES));
            }
            string.extend_from_slice(&tail);
        }
        string.len()
    })?;
    context.out.count(length);
    Ok(())
}

pub(crate) fn strlen(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    context.out.count(value.map_or(0, |value| value.len()));
    Ok(())
}

pub(crate) fn incr(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    add(context, arguments, 1)
}

pub(crate) fn decr(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    add(context, arguments, -1)
}

pub(crate) fn incrby(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = integer(&arguments[2])?;
    add(context, arguments, amount)
}

pub(crate) fn decrby(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = integer(&arguments[2])?
        .checked_neg()
        .ok_or(Failure::Fixed("ERR decrement would overflow"))?;
    add(context, arguments, amount)
}

fn add(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, amount: i64) -> Outcome {
    let place = context.keyspace.locate(&arguments[1]);
    let old = match string_at(context.keyspace, &place)? {
        None => 0,
        Some(text) => parse_integer(text).ok_or(Failure::NOT_AN_INTEGER)?,
    };
    let sum = old.checked_add(amount).ok_or(Failure::OVERFLOW)?;
    let value = Value::String(format_integer(sum));
    let key = mem::take(&mut arguments[1]);
    context.keyspace.put(&place, key, value, Deadline::Keep);
    context.out.integer(sum);
    Ok(())
}

/// Returns the string at a place, if there is a value.
pub(crate) fn string_at<'a>(
    keyspace: &'a Keyspace,
    place: &Place,
) -> Result<Option<&'a Bytes>, Failure> {
    match place.slot.and_then(|slot| keyspace.table().entry(slot)) {
        None => Ok(None),
        Some((_, entry)) => Bytes::of(&entry.value).map(Some).ok_or(Failure::WRONG_TYPE),
    }
}

/// Moves the second argument to the key that is the first.
pub(crate) fn put_string(
    context: &mut Context<'_, '_>,
    place: &Place,
    arguments: &mut Arguments<'_>,
    deadline: Deadline,
) {
    let key = mem::take(&mut arguments[1]);
    let value = Value::String(mem::take(&mut arguments[2]));
    context.keyspace.put(place, key, value, deadline);
}
