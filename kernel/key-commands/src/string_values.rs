//! Commands on strings that expire, and on numbers with decimals.

use crate::expiry::{Unit, absolute_deadline};
use crate::reply::{Failure, Outcome};
use crate::strings::{put_string, string_at};
use crate::{Context, decimal, is};
use core::mem;
use keyspace::{Bytes, Deadline, ENTRY_BYTES, Value, heap_bytes};
use resp::Arguments;

pub(crate) fn setex(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_expiring(context, arguments, Unit::Seconds)
}

pub(crate) fn psetex(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_expiring(context, arguments, Unit::Milliseconds)
}

fn set_expiring(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    unit: Unit,
) -> Outcome {
    let deadline = Deadline::At(absolute_deadline(context, &arguments[2], unit, true)?);
    let place = context.keyspace.locate(&arguments[1]);
    arguments[2] = mem::take(&mut arguments[3]);
    put_string(context, &place, arguments, deadline);
    context.out.ok();
    Ok(())
}

pub(crate) fn getdel(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    context.out.bulk_or_null(value.map(Bytes::as_slice));
    context.keyspace.remove(&arguments[1]);
    Ok(())
}

pub(crate) fn getex(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let deadline = match arguments.few() {
        [_, _] => None,
        [_, _, option] if is(option, "persist") => Some(None),
        [_, _, option, time] => {
            let (unit, from_now) = match option {
                option if is(option, "ex") => (Unit::Seconds, true),
                option if is(option, "px") => (Unit::Milliseconds, true),
                option if is(option, "exat") => (Unit::Seconds, false),
                option if is(option, "pxat") => (Unit::Milliseconds, false),
                _ => return Err(Failure::SYNTAX),
            };
            Some(Some(absolute_deadline(context, time, unit, from_now)?))
        }
        _ => return Err(Failure::SYNTAX),
    };
    if deadline.flatten().is_some() {
        context.room_for(ENTRY_BYTES + heap_bytes(arguments[1].len()))?;
    }
    let place = context.keyspace.locate(&arguments[1]);
    let value = string_at(context.keyspace, &place)?;
    context.out.bulk_or_null(value.map(Bytes::as_slice));
    if let Some(deadline) = deadline
        && place.slot.is_some()
    {
        context.keyspace.set_deadline(&place, deadline);
        // A deadline that is over removes the key at once.
        if deadline.is_some_and(|deadline_ms| deadline_ms.get() <= context.keyspace.now_ms()) {
            context.keyspace.remove(&arguments[1]);
        }
    }
    Ok(())
}

pub(crate) fn msetnx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if arguments.len().is_multiple_of(2) {
        return Err(context.wrong_arity());
    }
    let mut pairs = arguments.from(1);
    while let Some((key, _)) = pairs.next_pair(context.out) {
        if context.keyspace.locate(key).slot.is_some() {
            context.out.flag(false);
            return Ok(());
        }
    }
    let mut pairs = arguments.from(1);
    while let Some((key, value)) = pairs.next_pair(context.out) {
        let place = context.keyspace.locate(key);
        let value = Value::String(mem::take(value));
        (context.keyspace).put(&place, mem::take(key), value, Deadline::Clear);
    }
    context.out.flag(true);
    Ok(())
}

pub(crate) fn incrbyfloat(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let place = context.keyspace.locate(&arguments[1]);
    let old = string_at(context.keyspace, &place)?;
    let old = old.map_or(&b"0"[..], Bytes::as_slice);
    if decimal::parse(old).is_none() || decimal::parse(&arguments[2]).is_none() {
        return Err(Failure::NOT_A_FLOAT);
    }
    let sum = decimal::add(old, &arguments[2]).ok_or(Failure::INFINITE)?;
    context.out.bulk(&sum);
    let key = mem::take(&mut arguments[1]);
    (context.keyspace).put(&place, key, Value::String(sum), Deadline::Keep);
    Ok(())
}
