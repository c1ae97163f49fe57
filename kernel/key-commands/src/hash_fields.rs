//! Commands on single fields of hashes, and on their numbers.

use crate::reply::{Failure, Outcome};
use crate::{Context, integer};
use core::mem;
use keyspace::{Bytes, Hash};
use resp::{Arguments, Step, format_integer, parse_integer};

pub(crate) fn hmset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    super::hashes::set_fields(context, arguments)?;
    context.out.ok();
    Ok(())
}

pub(crate) fn hmget(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let mut fields = arguments.from(2);
    context.out.array(fields.left());
    while let Some(field) = fields.next(context.out) {
        let value = hash.and_then(|hash| hash.get(field));
        context.out.bulk_or_null(value.map(Bytes::as_slice));
    }
    Ok(())
}

pub(crate) fn hexists(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let is_there = hash.is_some_and(|hash| hash.get(&arguments[2]).is_some());
    context.out.flag(is_there);
    Ok(())
}

pub(crate) fn hstrlen(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let value = hash.and_then(|hash| hash.get(&arguments[2]));
    context.out.count(value.map_or(0, |value| value.len()));
    Ok(())
}

pub(crate) fn hkeys(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    list(context, arguments, |(field, _)| field)
}

pub(crate) fn hvals(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    list(context, arguments, |(_, value)| value)
}

fn list(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    choose: for<'a> fn((&'a Bytes, &'a Bytes)) -> &'a Bytes,
) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    context.out.array(hash.map_or(0, Hash::len));
    for pair in hash.into_iter().flat_map(Hash::iter) {
        context.out.step();
        context.out.bulk(choose(pair));
    }
    Ok(())
}

pub(crate) fn hsetnx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let is_new = hash.is_none_or(|hash| hash.get(&arguments[2]).is_none());
    if is_new {
        set(context, arguments, mem::take)?;
    }
    context.out.flag(is_new);
    Ok(())
}

/// Sets the field that is the second argument to what `value` makes of the third.
fn set(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    value: impl FnOnce(&mut Bytes) -> Bytes,
) -> Outcome {
    let (key, field) = (mem::take(&mut arguments[1]), mem::take(&mut arguments[2]));
    let value = value(&mut arguments[3]);
    (context.keyspace).upsert(key, |hash: &mut Hash| hash.set(field, value))?;
    Ok(())
}

pub(crate) fn hincrby(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let amount = integer(&arguments[3])?;
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let old = match hash.and_then(|hash| hash.get(&arguments[2])) {
        None => 0,
        Some(text) => {
            parse_integer(text).ok_or(Failure::Fixed("ERR hash value is not an integer"))?
        }
    };
    let sum = old.checked_add(amount).ok_or(Failure::OVERFLOW)?;
    set(context, arguments, |_| format_integer(sum))?;
    context.out.integer(sum);
    Ok(())
}
