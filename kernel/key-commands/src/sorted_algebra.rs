//! Union, intersection and difference of sorted sets, and of sets, whose members have the score 1.

use crate::reply::{Failure, Outcome, Output};
use crate::sorted_ranges::store;
use crate::sorted_sets::write_member;
use crate::{Context, count, decimal, integer, is};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use keyspace::{Bytes, Keyspace, Kind, Set, SortedSet, Value};
use resp::{Arguments, Step};

/// What is made of several sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// How the scores of a member in several sets become one.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Lowest,
    Highest,
}

impl Aggregate {
    /// Joins two scores. What is no number counts as 0.
    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number(one + other),
            Self::Lowest => one.min(other),
            Self::Highest => one.max(other),
        }
    }
}

fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One of the sets, with its weight.
#[derive(Clone, Copy)]
struct Input<'a> {
    kind: InputKind<'a>,
    weight: f64,
}

#[derive(Clone, Copy)]
enum InputKind<'a> {
    Missing,
    Set(&'a Set),
    Sorted(&'a SortedSet),
}

impl<'a> Input<'a> {
    fn len(&self) -> usize {
        match self.kind {
            InputKind::Missing => 0,
            InputKind::Set(set) => set.len(),
            InputKind::Sorted(set) => set.len(),
        }
    }

    /// Returns the weighted score of a member.
    fn score(&self, member: &[u8]) -> Option<f64> {
        let score = match self.kind {
            InputKind::Missing => None,
            InputKind::Set(set) => set.contains(member).then_some(1.0),
            InputKind::Sorted(set) => set.score(member),
        };
        score.map(|score| number(score * self.weight))
    }

    /// Returns the members with their weighted scores.
    fn iter(&self) -> Box<dyn Iterator<Item = (&'a Bytes, f64)> + 'a> {
        let weight = self.weight;
        let weighted = move |(member, score): (&'a Bytes, f64)| (member, number(score * weight));
        match self.kind {
            InputKind::Missing => Box::new(core::iter::empty()),
            InputKind::Set(set) => Box::new(set.iter().map(|member| (member, 1.0)).map(weighted)),
            InputKind::Sorted(set) => Box::new(set.iter().map(weighted)),
        }
    }
}

/// The options behind the keys.
struct Options {
    weights: Option<Vec<f64>>,
    aggregate: Aggregate,
    has_scores: bool,
    limit: usize,
}

/// What a command wants of the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Members,
    Stored,
    Number,
}

/// Reads the number of keys, which is the argument `at`.
fn keys_of(
    context: &Context<'_, '_>,
    arguments: &Arguments<'_>,
    at: usize,
) -> Result<usize, Failure> {
    let keys = integer(&arguments[at])?;
    let keys = usize::try_from(keys).unwrap_or(0);
    if keys == 0 {
        return Err(Failure::composed(&[
            b"ERR at least 1 input key is needed for '",
            context.name.as_bytes(),
            b"' command",
        ]));
    }
    if keys > arguments.len() - at - 1 {
        return Err(Failure::SYNTAX);
    }
    Ok(keys)
}

impl Options {
    fn parse(
        out: &mut Output<'_>,
        arguments: &mut Arguments<'_>,
        (at, keys): (usize, usize),
        (operation, wanted): (Operation, Wanted),
    ) -> Result<Self, Failure> {
        let is_weighted = operation != Operation::Difference && wanted != Wanted::Number;
        let mut options = Self {
            weights: None,
            aggregate: Aggregate::Sum,
            has_scores: false,
            limit: usize::MAX,
        };
        let mut words = arguments.from(at + keys + 1);
        while let Some(option) = words.next(out) {
            if is_weighted && is(option, "weights") && words.left() >= keys {
                let mut weights = Vec::with_capacity(keys);
                while weights.len() < keys
                    && let Some(word) = words.next(out)
                {
                    let weight = decimal::parse(word);
                    weights.push(weight.ok_or(Failure::Fixed("ERR weight value is not a float"))?);
                }
                options.weights = Some(weights);
            } else if is_weighted
                && is(option, "aggregate")
                && let Some(word) = words.next(out)
            {
                options.aggregate = match word {
                    word if is(word, "sum") => Aggregate::Sum,
                    word if is(word, "min") => Aggregate::Lowest,
                    word if is(word, "max") => Aggregate::Highest,
                    _ => return Err(Failure::SYNTAX),
                };
            } else if wanted == Wanted::Members && is(option, "withscores") {
                options.has_scores = true;
            } else if wanted == Wanted::Number
                && is(option, "limit")
                && let Some(word) = words.next(out)
            {
                let limit = count(word).map_err(|_| Failure::Fixed("ERR LIMIT can't be negative"));
                options.limit = match limit? {
                    0 => usize::MAX,
                    limit => limit,
                };
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn run(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    operation: Operation,
    wanted: Wanted,
) -> Outcome {
    let at = if wanted == Wanted::Stored { 2 } else { 1 };
    let keys = keys_of(context, arguments, at)?;
    let room_bytes = context.room_bytes();
    let seed = context.keyspace.seed();
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut inputs = inputs(keyspace, out, arguments, (at, keys))?;
    let options = Options::parse(out, arguments, (at, keys), (operation, wanted))?;
    for (input, weight) in inputs.iter_mut().zip(options.weights.iter().flatten()) {
        input.weight = *weight;
    }
    if operation != Operation::Difference {
        inputs.sort_by_key(Input::len);
    }
    let mut made = Made {
        result: SortedSet::empty(seed),
        room_bytes,
        limit: options.limit,
        only_counts: wanted == Wanted::Number,
        counted: 0,
    };
    let is_made = made.fill(&inputs, operation, options.aggregate, &mut || out.step());
    let Made {
        result, counted, ..
    } = made;
    if let Err(failure) = is_made {
        result.into_value().discard(&mut || out.step());
        return Err(failure);
    }
    match wanted {
        Wanted::Number => out.count(counted),
        Wanted::Stored => store(context, mem::take(&mut arguments[1]), result),
        Wanted::Members => {
            let is_nested = options.has_scores && out.is_resp3();
            out.array(result.len() << usize::from(options.has_scores && !is_nested));
            for scored in result.ranks(0..usize::MAX) {
                out.step();
                let score = options.has_scores.then_some(scored.score);
                write_member(out, &scored.member, score, is_nested);
            }
            result.into_value().discard(&mut || out.step());
        }
    }
    Ok(())
}

/// Returns the sets whose keys follow the argument `at`.
fn inputs<'a>(
    keyspace: &'a Keyspace,
    out: &mut Output<'_>,
    arguments: &mut Arguments<'_>,
    (at, keys): (usize, usize),
) -> Result<Vec<Input<'a>>, Failure> {
    let mut inputs = Vec::with_capacity(keys);
    let mut words = arguments.from(at + 1);
    while inputs.len() < keys
        && let Some(key) = words.next(out)
    {
        let kind = match keyspace.peek_value(key) {
            None => InputKind::Missing,
            Some(Value::Set(set)) => InputKind::Set(set),
            Some(Value::SortedSet(set)) => InputKind::Sorted(set),
            Some(_) => return Err(Failure::WRONG_TYPE),
        };
        inputs.push(Input { kind, weight: 1.0 });
    }
    Ok(inputs)
}

/// The result while it is made.
struct Made {
    result: SortedSet,
    room_bytes: u64,
    limit: usize,
    /// Whether only the number of members is wanted.
    only_counts: bool,
    counted: usize,
}

impl Made {
    /// Adds a member. Returns whether more are wanted.
    fn add(&mut self, member: &Bytes, score: f64) -> Result<bool, Failure> {
        self.counted += 1;
        if !self.only_counts {
            let bytes = SortedSet::member_bytes(member.len());
            let left = self.room_bytes.checked_sub(bytes);
            self.room_bytes = left.ok_or(Failure::OUT_OF_MEMORY)?;
            self.result.set(member.clone(), score);
        }
        Ok(self.counted < self.limit)
    }

    fn fill(
        &mut self,
        inputs: &[Input<'_>],
        operation: Operation,
        aggregate: Aggregate,
        step: &mut dyn FnMut(),
    ) -> Outcome {
        let Some((first, others)) = inputs.split_first() else {
            return Ok(());
        };
        match operation {
            Operation::Union => {
                for (member, score) in inputs.iter().flat_map(Input::iter) {
                    step();
                    match self.result.score(member) {
                        Some(old) => {
                            self.result.set(member.clone(), aggregate.join(old, score));
                        }
                        None => {
                            self.add(member, score)?;
                        }
                    }
                }
            }
            Operation::Intersection => {
                for (member, score) in first.iter() {
                    let joined = others.iter().try_fold(score, |joined, input| {
                        step();
                        Some(aggregate.join(joined, input.score(member)?))
                    });
                    step();
                    if let Some(score) = joined
                        && !self.add(member, score)?
                    {
                        break;
                    }
                }
            }
            Operation::Difference => {
                for (member, score) in first.iter() {
                    step();
                    let is_elsewhere = others.iter().any(|input| {
                        step();
                        input.score(member).is_some()
                    });
                    if !is_elsewhere {
                        self.add(member, score)?;
                    }
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn zunion(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Union, Wanted::Members)
}

pub(crate) fn zinter(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Intersection, Wanted::Members)
}

pub(crate) fn zdiff(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Difference, Wanted::Members)
}

pub(crate) fn zunionstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Union, Wanted::Stored)
}

pub(crate) fn zinterstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Intersection, Wanted::Stored)
}

pub(crate) fn zdiffstore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Difference, Wanted::Stored)
}

pub(crate) fn zintercard(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, Operation::Intersection, Wanted::Number)
}
