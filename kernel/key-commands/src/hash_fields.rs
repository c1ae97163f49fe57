//! Commands on single fields of hashes, and on their numbers.

use crate::reply::{Failure, Outcome};
use crate::sampling::Sample;
use crate::{Context, decimal, integer, is};
use core::mem;
use keyspace::{Bytes, Hash};
use resp::{Arguments, Step, format_integer, parse_integer};

pub(crate) fn hmset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    crate::hashes::set_fields(context, arguments)?;
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

pub(crate) fn hincrbyfloat(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    let amount = decimal::parse(&arguments[3]).ok_or(Failure::NOT_A_FLOAT)?;
    if !amount.is_finite() {
        return Err(Failure::Fixed("ERR value is NaN or Infinity"));
    }
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let old = hash.and_then(|hash| hash.get(&arguments[2]));
    let old = old.map_or(&b"0"[..], Bytes::as_slice);
    if decimal::parse(old).is_none() {
        return Err(Failure::Fixed("ERR hash value is not a float"));
    }
    let sum = decimal::add(old, &arguments[3]).ok_or(Failure::INFINITE)?;
    let value = sum.clone();
    set(context, arguments, |_| value)?;
    context.out.bulk(&sum);
    Ok(())
}

pub(crate) fn hrandfield(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (number, has_values) = match arguments.few() {
        [_, _] => (None, false),
        [_, _, number] => (Some(integer(number)?), false),
        [_, _, number, option] if is(option, "withvalues") => (Some(integer(number)?), true),
        _ => return Err(Failure::SYNTAX),
    };
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let out = &mut *context.out;
    let Some(number) = number else {
        let field = hash.and_then(|hash| hash.nth(context.random.below(hash.len())));
        out.bulk_or_null(field.map(|(field, _)| field.as_slice()));
        return Ok(());
    };
    let length = hash.map_or(0, Hash::len);
    let sample = Sample::new(number, length)?;
    let is_nested = has_values && out.is_resp3();
    out.array(sample.len() << usize::from(has_values && !is_nested));
    sample.positions(context.random, |position| {
        out.step();
        let Some((field, value)) = hash.and_then(|hash| hash.nth(position)) else {
            return;
        };
        if is_nested {
            out.array(2);
        }
        out.bulk(field);
        if has_values {
            out.bulk(value);
        }
    });
    Ok(())
}
