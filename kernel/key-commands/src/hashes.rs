//! Commands on hashes.

use crate::Context;
use crate::reply::{Failure, Outcome};
use core::mem;
use keyspace::{Bytes, Hash};
use resp::{Arguments, Step};

pub(crate) fn hset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let created = set_fields(context, arguments)?;
    context.out.count(created);
    Ok(())
}

/// Sets the fields that are the arguments. Returns how many are new.
pub(crate) fn set_fields(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Result<usize, Failure> {
    let key = mem::take(&mut arguments[1]);
    if !arguments.len().is_multiple_of(2) {
        return Err(context.wrong_arity());
    }
    let mut pairs = arguments.from(2);
    let created = context.keyspace.upsert(key, |hash: &mut Hash| {
        let mut created = 0;
        while let Some((field, value)) = pairs.next_pair(context.out) {
            created += usize::from(hash.set(mem::take(field), mem::take(value)));
        }
        created
    })?;
    Ok(created)
}

pub(crate) fn hget(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    let value = hash.and_then(|hash| hash.get(&arguments[2]));
    context.out.bulk_or_null(value.map(Bytes::as_slice));
    Ok(())
}

pub(crate) fn hdel(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let key = mem::take(&mut arguments[1]);
    let mut fields = arguments.from(2);
    let deleted = context.keyspace.update(&key, |hash: &mut Hash| {
        let mut deleted = 0;
        while let Some(field) = fields.next(context.out) {
            deleted += usize::from(hash.remove(field));
        }
        deleted
    })?;
    context.out.count(deleted.unwrap_or(0));
    Ok(())
}

pub(crate) fn hgetall(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let Some(hash) = context.keyspace.read::<Hash>(&arguments[1])? else {
        context.out.map(0);
        return Ok(());
    };
    context.out.map(hash.len());
    for (field, value) in hash.iter() {
        context.out.step();
        context.out.bulk(field);
        context.out.bulk(value);
    }
    Ok(())
}

pub(crate) fn hlen(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let hash = context.keyspace.read::<Hash>(&arguments[1])?;
    context.out.count(hash.map_or(0, Hash::len));
    Ok(())
}
