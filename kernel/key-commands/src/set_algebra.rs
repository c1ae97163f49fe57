//! Intersection, union and difference of sets.

use crate::reply::{Failure, Outcome};
use crate::words::key_count;
use crate::{Context, integer, is};
use alloc::vec::Vec;
use keyspace::{Bytes, Deadline, Kind, Set};
use resp::{Arguments, Step};

const TOO_MANY_KEYS: Failure =
    Failure::Fixed("ERR Number of keys can't be greater than number of args");

/// What is made of several sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

pub(crate) fn sinter(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, Operation::Intersection)
}

pub(crate) fn sunion(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, Operation::Union)
}

pub(crate) fn sdiff(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, Operation::Difference)
}

pub(crate) fn sinterstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    store(context, arguments, Operation::Intersection)
}

pub(crate) fn sunionstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    store(context, arguments, Operation::Union)
}

pub(crate) fn sdiffstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    store(context, arguments, Operation::Difference)
}

fn reply(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    operation: Operation,
) -> Outcome {
    let set = result(context, arguments, (1, usize::MAX), operation)?;
    context.out.set(set.len());
    for member in set.iter() {
        context.out.step();
        context.out.bulk(member);
    }
    set.into_value().discard(&mut || context.out.step());
    Ok(())
}

fn store(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    operation: Operation,
) -> Outcome {
    let set = result(context, arguments, (2, usize::MAX), operation)?;
    let (key, length) = (core::mem::take(&mut arguments[1]), set.len());
    if length == 0 {
        context.keyspace.remove(&key);
    } else {
        let place = context.keyspace.locate(&key);
        (context.keyspace).put(&place, key, set.into_value(), Deadline::Clear);
    }
    context.out.count(length);
    Ok(())
}

/// Makes the set of the sets whose keys are the arguments from `first` on, up to `count` of them. There has to be room
/// for it in memory.
fn result(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    (first, count): (usize, usize),
    operation: Operation,
) -> Result<Set, Failure> {
    let mut result = Set::empty(context.keyspace.seed());
    let filled = fill(&mut result, context, arguments, (first, count), operation);
    match filled {
        Ok(()) => Ok(result),
        Err(failure) => {
            result.into_value().discard(&mut || context.out.step());
            Err(failure)
        }
    }
}

fn fill(
    result: &mut Set,
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    (first, count): (usize, usize),
    operation: Operation,
) -> Outcome {
    let seed = context.keyspace.seed();
    let mut room_bytes = context.room_bytes();
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut sets: Vec<Option<&Set>> = Vec::new();
    let mut keys = arguments.from(first);
    while sets.len() < count
        && let Some(key) = keys.next(out)
    {
        sets.push(keyspace.peek::<Set>(key)?);
    }
    let mut add = |result: &mut Set, member: &Bytes| {
        let before_bytes = result.payload_bytes();
        result.add(member.clone());
        let grown_bytes = result.payload_bytes() - before_bytes;
        room_bytes = room_bytes
            .checked_sub(grown_bytes)
            .ok_or(Failure::OUT_OF_MEMORY)?;
        Ok::<(), Failure>(())
    };
    match operation {
        Operation::Intersection => {
            let Some(mut sets) = sets.into_iter().collect::<Option<Vec<&Set>>>() else {
                return Ok(());
            };
            sets.sort_by_key(|set| set.len());
            let Some((smallest, others)) = sets.split_first() else {
                return Ok(());
            };
            for member in smallest.iter() {
                out.step();
                let is_in_all = others.iter().all(|set| {
                    out.step();
                    set.contains(member)
                });
                if is_in_all {
                    add(result, member)?;
                }
            }
        }
        Operation::Union => {
            for member in sets.into_iter().flatten().flat_map(Set::iter) {
                out.step();
                add(result, member)?;
            }
        }
        Operation::Difference => {
            let Some((Some(first), others)) = sets.split_first() else {
                return Ok(());
            };
            for member in first.iter() {
                out.step();
                add(result, member)?;
            }
            for other in others.iter().flatten() {
                // Go through the smaller one.
                if other.len() <= result.len() {
                    for member in other.iter() {
                        out.step();
                        result.remove(member);
                    }
                    continue;
                }
                let mut kept = Set::empty(seed);
                for member in result.iter() {
                    out.step();
                    if !other.contains(member) {
                        kept.add(member.clone());
                    }
                }
                core::mem::replace(result, kept)
                    .into_value()
                    .discard(&mut || out.step());
            }
        }
    }
    Ok(())
}

pub(crate) fn sintercard(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let keys = key_count(arguments, 1, TOO_MANY_KEYS)?;
    let mut limit = usize::MAX;
    let mut options = arguments.from(2 + keys);
    while let Some(option) = options.next(context.out) {
        let value = options.next(context.out).ok_or(Failure::SYNTAX)?;
        if !is(option, "limit") {
            return Err(Failure::SYNTAX);
        }
        let number = integer(value)
            .ok()
            .and_then(|number| usize::try_from(number).ok());
        limit = match number.ok_or(Failure::Fixed("ERR LIMIT can't be negative"))? {
            0 => usize::MAX,
            limit => limit,
        };
    }
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut words = arguments.from(2);
    let mut sets: Vec<Option<&Set>> = Vec::new();
    for _ in 0..keys {
        let key = words.next(out).ok_or(Failure::SYNTAX)?;
        sets.push(keyspace.peek::<Set>(key)?);
    }
    let mut found = 0;
    if let Some(mut sets) = sets.into_iter().collect::<Option<Vec<&Set>>>() {
        sets.sort_by_key(|set| set.len());
        if let Some((smallest, others)) = sets.split_first() {
            for member in smallest.iter() {
                out.step();
                let is_in_all = others.iter().all(|set| {
                    out.step();
                    set.contains(member)
                });
                found += usize::from(is_in_all);
                if found == limit {
                    break;
                }
            }
        }
    }
    out.count(found);
    Ok(())
}
