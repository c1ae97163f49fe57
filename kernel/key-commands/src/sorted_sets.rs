//! Commands on members of sorted sets.

use crate::reply::{Failure, Outcome, Output};
use crate::sampling::Sample;
use crate::words::key_count;
use crate::{Context, count, decimal, integer, is};
use core::mem;
use keyspace::{Bytes, End, NEW_KEY_BYTES, SortedSet};
use resp::{Arguments, Step};

const NAN: Failure = Failure::Fixed("ERR resulting score is not a number (NaN)");

/// The options of `ZADD`.
#[derive(Clone, Copy, Default)]
struct AddOptions {
    only_new: bool,
    only_old: bool,
    only_greater: bool,
    only_less: bool,
    counts_changes: bool,
    is_increment: bool,
}

impl AddOptions {
    /// Reads the options from the second argument on. Returns where the scores begin, too.
    fn parse(
        context: &mut Context<'_, '_>,
        arguments: &mut Arguments<'_>,
    ) -> Result<(Self, usize), Failure> {
        let (mut options, mut at) = (Self::default(), 2);
        let mut words = arguments.from(2);
        while let Some(word) = words.next(context.out) {
            let flag = match word {
                word if is(word, "nx") => &mut options.only_new,
                word if is(word, "xx") => &mut options.only_old,
                word if is(word, "gt") => &mut options.only_greater,
                word if is(word, "lt") => &mut options.only_less,
                word if is(word, "ch") => &mut options.counts_changes,
                word if is(word, "incr") => &mut options.is_increment,
                _ => break,
            };
            (*flag, at) = (true, at + 1);
        }
        let left = arguments.len() - at;
        if left == 0 || !left.is_multiple_of(2) {
            return Err(Failure::SYNTAX);
        }
        let text = match options {
            _ if options.only_new && options.only_old => {
                "ERR XX and NX options at the same time are not compatible"
            }
            _ if options.only_greater && (options.only_new || options.only_less)
                || options.only_less && options.only_new =>
            {
                "ERR GT, LT, and/or NX options at the same time are not compatible"
            }
            _ if options.is_increment && left > 2 => {
                "ERR INCR option supports a single increment-element pair"
            }
            _ => return Ok((options, at)),
        };
        Err(Failure::Fixed(text))
    }

    /// Returns the score that a member gets instead of `old`, if it gets one.
    fn score(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, Failure> {
        let Some(old) = old else {
            return Ok((!self.only_old).then_some(given));
        };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.is_increment {
            old + given
        } else {
            given
        };
        if score.is_nan() {
            return Err(NAN);
        }
        let is_refused = self.only_less && score >= old || self.only_greater && score <= old;
        Ok((!is_refused).then_some(score))
    }
}

pub(crate) fn zadd(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (options, at) = AddOptions::parse(context, arguments)?;
    add(context, arguments, options, at)
}

pub(crate) fn zincrby(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let options = AddOptions {
        is_increment: true,
        ..AddOptions::default()
    };
    add(context, arguments, options, 2)
}

/// Adds the members with scores that are the arguments from `at` on.
fn add(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    options: AddOptions,
    at: usize,
) -> Outcome {
    let mut growth_bytes = NEW_KEY_BYTES;
    let mut pairs = arguments.from(at);
    while let Some((score, member)) = pairs.next_pair(context.out) {
        decimal::parse(score).ok_or(Failure::NOT_A_FLOAT)?;
        growth_bytes += SortedSet::member_bytes(member.len());
    }
    let is_there = context.keyspace.read::<SortedSet>(&arguments[1])?.is_some();
    if !is_there && options.only_old {
        match options.is_increment {
            true => context.out.null(),
            false => context.out.count(0),
        }
        return Ok(());
    }
    context.room_for(growth_bytes)?;
    let key = mem::take(&mut arguments[1]);
    let mut pairs = arguments.from(at);
    let (mut added, mut changed) = (0, 0);
    let last = (context.keyspace).upsert(key, |set: &mut SortedSet| {
        let mut last = Ok(None);
        while let Some((score, member)) = pairs.next_pair(context.out) {
            let old = set.score(member);
            last = options.score(old, decimal::parse(score).unwrap_or(0.0));
            if let Ok(Some(score)) = last {
                added += usize::from(old.is_none());
                changed += usize::from(old.is_some_and(|old| old != score));
                set.set(mem::take(member), score);
            }
        }
        last
    })?;
    match (options.is_increment, last?) {
        (true, Some(score)) => context.out.double(score),
        (true, None) => context.out.null(),
        (false, _) if options.counts_changes => context.out.count(added + changed),
        (false, _) => context.out.count(added),
    }
    Ok(())
}

pub(crate) fn zrem(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let key = mem::take(&mut arguments[1]);
    let mut members = arguments.from(2);
    let removed = (context.keyspace).update(&key, |set: &mut SortedSet| {
        let mut removed = 0;
        while let Some(member) = members.next(context.out) {
            removed += usize::from(set.remove(member).is_some());
        }
        removed
    })?;
    context.out.count(removed.unwrap_or(0));
    Ok(())
}

pub(crate) fn zcard(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    context.out.count(set.map_or(0, SortedSet::len));
    Ok(())
}

pub(crate) fn zscore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    let score = set.and_then(|set| set.score(&arguments[2]));
    context.out.double_or_null(score);
    Ok(())
}

pub(crate) fn zmscore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    let mut members = arguments.from(2);
    context.out.array(members.left());
    while let Some(member) = members.next(context.out) {
        let score = set.and_then(|set| set.score(member));
        context.out.double_or_null(score);
    }
    Ok(())
}

pub(crate) fn zrank(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell_rank(context, arguments, |rank, _| rank)
}

pub(crate) fn zrevrank(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell_rank(context, arguments, |rank, length| length - 1 - rank)
}

fn tell_rank(
    context: &mut Context<'_, '_>,
    arguments: &Arguments<'_>,
    of: impl Fn(usize, usize) -> usize,
) -> Outcome {
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    match set.and_then(|set| Some(of(set.rank(&arguments[2])?, set.len()))) {
        Some(rank) => context.out.count(rank),
        None => context.out.null(),
    }
    Ok(())
}

pub(crate) fn zpopmin(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    pop(context, arguments, End::Front)
}

pub(crate) fn zpopmax(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    pop(context, arguments, End::Back)
}

fn pop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, end: End) -> Outcome {
    let number = match arguments.few() {
        [_, _] => None,
        [_, _, number] => Some(count(number)?),
        _ => return Err(Failure::SYNTAX),
    };
    let Some(set) = context.keyspace.read::<SortedSet>(&arguments[1])? else {
        context.out.array(0);
        return Ok(());
    };
    let is_nested = number.is_some() && context.out.is_resp3();
    let number = number.unwrap_or(1).min(set.len());
    let length = if is_nested { number } else { 2 * number };
    context.out.array(length);
    pop_members(context, &arguments[1], end, number, is_nested)
}

/// Removes members with the lowest or the highest scores, and writes them with their scores.
///
/// # Errors
/// The key has a value of another type.
pub fn pop_members(
    context: &mut Context<'_, '_>,
    key: &[u8],
    end: End,
    number: usize,
    is_nested: bool,
) -> Outcome {
    context.keyspace.update(key, |set: &mut SortedSet| {
        for _ in 0..number {
            context.out.step();
            let rank = match end {
                End::Front => 0,
                End::Back => set.len() - 1,
            };
            let Some(first) = set.at_rank(rank).cloned() else {
                return;
            };
            write_member(context.out, &first.member, Some(first.score), is_nested);
            set.remove(&first.member);
        }
    })?;
    Ok(())
}

/// Writes a member, with its score if there is one.
pub(crate) fn write_member(
    out: &mut Output<'_>,
    member: &[u8],
    score: Option<f64>,
    is_nested: bool,
) {
    if is_nested {
        out.array(2);
    }
    out.bulk(member);
    if let Some(score) = score {
        out.double(score);
    }
}

pub(crate) fn zmpop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !pop_first(context, arguments, 1)? {
        context.out.null_array();
    }
    Ok(())
}

/// Runs `ZMPOP`, whose number of keys is the argument `at`. Returns false if all sorted sets are empty.
///
/// # Errors
/// As Redis'.
pub fn pop_first(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    at: usize,
) -> Result<bool, Failure> {
    let keys = key_count(arguments, at, Failure::SYNTAX)?;
    let mut options = arguments.from(at + keys + 1);
    let end = match options.next(context.out) {
        Some(word) if is(word, "min") => End::Front,
        Some(word) if is(word, "max") => End::Back,
        _ => return Err(Failure::SYNTAX),
    };
    let mut number = None;
    while let Some(option) = options.next(context.out) {
        if !is(option, "count") || number.is_some() {
            return Err(Failure::SYNTAX);
        }
        let given = options.next(context.out).ok_or(Failure::SYNTAX)?;
        let given = count(given).ok().filter(|&number| number > 0);
        number = Some(given.ok_or(Failure::Fixed("ERR count should be greater than 0"))?);
    }
    let mut words = arguments.from(at + 1);
    for _ in 0..keys {
        let Some(key) = words.next(context.out) else {
            break;
        };
        if let Some(set) = context.keyspace.read::<SortedSet>(key)? {
            let number = number.unwrap_or(1).min(set.len());
            context.out.array(2);
            context.out.bulk(key);
            context.out.array(number);
            pop_members(context, key, end, number, true)?;
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn zrandmember(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (number, has_scores) = match arguments.few() {
        [_, _] => (None, false),
        [_, _, number] => (Some(integer(number)?), false),
        [_, _, number, option] if is(option, "withscores") => (Some(integer(number)?), true),
        _ => return Err(Failure::SYNTAX),
    };
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    let out = &mut *context.out;
    let Some(number) = number else {
        let member = set.and_then(|set| set.nth(context.random.below(set.len())));
        out.bulk_or_null(member.map(|(member, _)| Bytes::as_slice(member)));
        return Ok(());
    };
    let sample = Sample::new(number, set.map_or(0, SortedSet::len))?;
    let is_nested = has_scores && out.is_resp3();
    out.array(sample.len() << usize::from(has_scores && !is_nested));
    sample.positions(context.random, |position| {
        out.step();
        if let Some((member, score)) = set.and_then(|set| set.nth(position)) {
            write_member(out, member, has_scores.then_some(score), is_nested);
        }
    });
    Ok(())
}
