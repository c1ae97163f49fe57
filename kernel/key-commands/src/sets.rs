//! Commands on sets.

use crate::reply::{Failure, Outcome};
use crate::{Context, count};
use core::mem;
use keyspace::Set;
use resp::{Arguments, Step};

pub(crate) fn sadd(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let key = mem::take(&mut arguments[1]);
    let mut members = arguments.from(2);
    let added = context.keyspace.upsert(key, |set: &mut Set| {
        let mut added = 0;
        while let Some(member) = members.next(context.out) {
            added += usize::from(set.add(mem::take(member)));
        }
        added
    })?;
    context.out.count(added);
    Ok(())
}

pub(crate) fn srem(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let key = mem::take(&mut arguments[1]);
    let mut members = arguments.from(2);
    let removed = context.keyspace.update(&key, |set: &mut Set| {
        let mut removed = 0;
        while let Some(member) = members.next(context.out) {
            removed += usize::from(set.remove(member));
        }
        removed
    })?;
    context.out.count(removed.unwrap_or(0));
    Ok(())
}

pub(crate) fn sismember(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<Set>(&arguments[1])?;
    let found = set.is_some_and(|set| set.contains(&arguments[2]));
    context.out.flag(found);
    Ok(())
}

pub(crate) fn scard(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<Set>(&arguments[1])?;
    context.out.count(set.map_or(0, Set::len));
    Ok(())
}

pub(crate) fn smembers(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let Some(set) = context.keyspace.read::<Set>(&arguments[1])? else {
        context.out.set(0);
        return Ok(());
    };
    context.out.set(set.len());
    for member in set.iter() {
        context.out.step();
        context.out.bulk(member);
    }
    Ok(())
}

pub(crate) fn spop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_, key] => {
            let member = context
                .keyspace
                .update(key, |set: &mut Set| set.take_random(context.random))?;
            context.out.bulk_or_null(member.flatten().as_deref());
        }
        [_, key, number] => {
            let number = count(number)?;
            let popped = context.keyspace.update(key, |set: &mut Set| {
                let number = number.min(set.len());
                context.out.set(number);
                for _ in 0..number {
                    context.out.step();
                    let member = set.take_random(context.random);
                    context.out.bulk_or_null(member.as_deref());
                }
            })?;
            if popped.is_none() {
                context.out.set(0);
            }
        }
        _ => return Err(Failure::SYNTAX),
    }
    Ok(())
}
