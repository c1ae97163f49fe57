//! Commands that choose or move members of sets.

use crate::reply::{Failure, Outcome};
use crate::sampling::Sample;
use crate::{Context, integer};
use core::mem;
use keyspace::{Bytes, Set};
use resp::{Arguments, Step};

pub(crate) fn smove(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let member = mem::take(&mut arguments[3]);
    if context.keyspace.read::<Set>(&arguments[1])?.is_none() {
        context.out.flag(false);
        return Ok(());
    }
    context.keyspace.read::<Set>(&arguments[2])?;
    if arguments[1] == arguments[2] {
        let set = context.keyspace.read::<Set>(&arguments[1])?;
        context
            .out
            .flag(set.is_some_and(|set| set.contains(&member)));
        return Ok(());
    }
    let removed = (context.keyspace).update(&arguments[1], |set: &mut Set| set.remove(&member))?;
    let is_moved = removed == Some(true);
    // What is there already changes nothing, so nobody who watches the key is disturbed.
    let destination = context.keyspace.peek::<Set>(&arguments[2])?;
    let is_there = destination.is_some_and(|set| set.contains(&member));
    if is_moved && !is_there {
        let key = mem::take(&mut arguments[2]);
        (context.keyspace).upsert(key, |set: &mut Set| set.add(member))?;
    }
    context.out.flag(is_moved);
    Ok(())
}

pub(crate) fn smismember(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<Set>(&arguments[1])?;
    let mut members = arguments.from(2);
    context.out.array(members.left());
    while let Some(member) = members.next(context.out) {
        context
            .out
            .flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(())
}

pub(crate) fn srandmember(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let number = match arguments.few() {
        [_, _] => None,
        [_, _, number] => Some(integer(number)?),
        _ => return Err(Failure::SYNTAX),
    };
    let set = context.keyspace.read::<Set>(&arguments[1])?;
    let out = &mut *context.out;
    let Some(number) = number else {
        let member = set.and_then(|set| set.nth(context.random.below(set.len())));
        out.bulk_or_null(member.map(Bytes::as_slice));
        return Ok(());
    };
    let sample = Sample::new(number, set.map_or(0, Set::len))?;
    out.array(sample.len());
    sample.positions(context.random, |position| {
        out.step();
        let member = set.and_then(|set| set.nth(position));
        out.bulk_or_null(member.map(Bytes::as_slice));
    });
    Ok(())
}
