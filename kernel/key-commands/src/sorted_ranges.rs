//! Commands on ranges of sorted sets: by rank, by score, or by member.

use crate::lists::range;
use crate::reply::{Failure, Outcome};
use crate::sorted_sets::write_member;
use crate::{Context, decimal, integer, is};
use core::mem;
use core::ops::Range;
use keyspace::{Bytes, Deadline, Kind, SortedSet};
use resp::{Arguments, Step};

/// What the bounds of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// A bound, and whether what equals it is left out.
struct Bound<T> {
    at: T,
    is_open: bool,
}

/// A bound of a range of members.
enum MemberBound {
    Lowest,
    Highest,
    At(Bound<Bytes>),
}

/// The bounds of a range.
enum Bounds {
    Ranks(i64, i64),
    Scores(Bound<f64>, Bound<f64>),
    Members(MemberBound, MemberBound),
}

impl Bounds {
    fn parse(by: By, low: &Bytes, high: &Bytes) -> Result<Self, Failure> {
        Ok(match by {
            By::Rank => Self::Ranks(integer(low)?, integer(high)?),
            By::Score => Self::Scores(score_bound(low)?, score_bound(high)?),
            By::Member => Self::Members(member_bound(low)?, member_bound(high)?),
        })
    }

    /// Returns the ranks of the members in the range. `is_reversed` says that ranks count from the highest score.
    fn ranks(&self, set: &SortedSet, is_reversed: bool) -> Range<usize> {
        let (start, end) = match self {
            Self::Ranks(first, last) => {
                let ranks = range(*first, *last, set.len());
                return match is_reversed {
                    true => set.len() - ranks.end..set.len() - ranks.start,
                    false => ranks,
                };
            }
            Self::Scores(low, high) => (
                set.count_before(|it| it.score < low.at || low.is_open && it.score == low.at),
                set.count_before(|it| it.score < high.at || !high.is_open && it.score == high.at),
            ),
            Self::Members(low, high) => {
                let before = |bound: &MemberBound, is_end: bool| match bound {
                    MemberBound::Lowest => 0,
                    MemberBound::Highest => set.len(),
                    MemberBound::At(bound) => set.count_before(|it| {
                        it.member < bound.at || it.member == bound.at && bound.is_open != is_end
                    }),
                };
                (before(low, false), before(high, true))
            }
        };
        start..end.max(start)
    }
}

fn score_bound(word: &[u8]) -> Result<Bound<f64>, Failure> {
    let (is_open, text) = match word {
        [b'(', text @ ..] => (true, text),
        text => (false, text),
    };
    let at = decimal::parse(text).ok_or(Failure::Fixed("ERR min or max is not a float"))?;
    Ok(Bound { at, is_open })
}

fn member_bound(word: &[u8]) -> Result<MemberBound, Failure> {
    let at = |member: &[u8], is_open| {
        let at = Bytes::from_slice(member);
        Ok(MemberBound::At(Bound { at, is_open }))
    };
    match word {
        [b'-'] => Ok(MemberBound::Lowest),
        [b'+'] => Ok(MemberBound::Highest),
        [b'[', member @ ..] => at(member, false),
        [b'(', member @ ..] => at(member, true),
        _ => Err(Failure::Fixed("ERR min or max not valid string range item")),
    }
}

/// What a command asks of a range.
struct Query {
    bounds: Bounds,
    is_reversed: bool,
    has_scores: bool,
    offset: i64,
    limit: i64,
}

impl Query {
    /// Reads a query whose key is the argument `at`. What is not given by the command may be given by options.
    fn parse(
        context: &mut Context<'_, '_>,
        arguments: &mut Arguments<'_>,
        at: usize,
        (mut by, mut is_reversed): (Option<By>, Option<bool>),
    ) -> Result<Self, Failure> {
        let is_stored = at > 1;
        let (mut has_scores, mut offset, mut limit) = (false, 0, -1);
        let mut options = arguments.from(at + 3);
        while let Some(option) = options.next(context.out) {
            if !is_stored && is(option, "withscores") {
                has_scores = true;
            } else if is(option, "limit") && options.left() >= 2 {
                let words = options.next_pair(context.out);
                let (first, count) = words.ok_or(Failure::SYNTAX)?;
                (offset, limit) = (integer(first)?, integer(count)?);
            } else if is_reversed.is_none() && is(option, "rev") {
                is_reversed = Some(true);
            } else if by.is_none() && is(option, "bylex") {
                by = Some(By::Member);
            } else if by.is_none() && is(option, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        let (by, is_reversed) = (by.unwrap_or(By::Rank), is_reversed.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(Failure::Fixed(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if has_scores && by == By::Member {
            return Err(Failure::Fixed(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (low, high) = match is_reversed && by != By::Rank {
            true => (&arguments[at + 2], &arguments[at + 1]),
            false => (&arguments[at + 1], &arguments[at + 2]),
        };
        Ok(Self {
            bounds: Bounds::parse(by, low, high)?,
            is_reversed,
            has_scores,
            offset,
            limit,
        })
    }

    /// Returns the ranks of the members that are asked for.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.bounds.ranks(set, self.is_reversed);
        let Ok(offset) = usize::try_from(self.offset) else {
            return 0..0;
        };
        let skipped = offset.min(ranks.len());
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let length = limit.min(ranks.len() - skipped);
        match self.is_reversed {
            false => ranks.start + skipped..ranks.start + skipped + length,
            true => ranks.end - skipped - length..ranks.end - skipped,
        }
    }
}

/// Runs a command that replies a range.
fn reply(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    given: (Option<By>, Option<bool>),
) -> Outcome {
    let query = Query::parse(context, arguments, 1, given)?;
    let Some(set) = context.keyspace.read::<SortedSet>(&arguments[1])? else {
        context.out.array(0);
        return Ok(());
    };
    let out = &mut *context.out;
    let mut members = set.ranks(query.ranks(set));
    let is_nested = query.has_scores && out.is_resp3();
    out.array(members.len() << usize::from(query.has_scores && !is_nested));
    while let Some(scored) = match query.is_reversed {
        false => members.next(),
        true => members.next_back(),
    } {
        out.step();
        let score = query.has_scores.then_some(scored.score);
        write_member(out, &scored.member, score, is_nested);
    }
    Ok(())
}

pub(crate) fn zrange(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, (None, None))
}

pub(crate) fn zrevrange(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, (Some(By::Rank), Some(true)))
}

pub(crate) fn zrangebyscore(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    reply(context, arguments, (Some(By::Score), Some(false)))
}

pub(crate) fn zrevrangebyscore(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    reply(context, arguments, (Some(By::Score), Some(true)))
}

pub(crate) fn zrangebylex(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    reply(context, arguments, (Some(By::Member), Some(false)))
}

pub(crate) fn zrevrangebylex(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    reply(context, arguments, (Some(By::Member), Some(true)))
}

pub(crate) fn zrangestore(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let query = Query::parse(context, arguments, 2, (None, None))?;
    let mut room_bytes = context.room_bytes();
    let seed = context.keyspace.seed();
    let source = context.keyspace.read::<SortedSet>(&arguments[2])?;
    let mut result = SortedSet::empty(seed);
    if let Some(source) = source {
        for scored in source.ranks(query.ranks(source)) {
            context.out.step();
            let bytes = SortedSet::member_bytes(scored.member.len());
            let Some(left) = room_bytes.checked_sub(bytes) else {
                result.into_value().discard(&mut || context.out.step());
                return Err(Failure::OUT_OF_MEMORY);
            };
            room_bytes = left;
            result.set(scored.member.clone(), scored.score);
        }
    }
    store(context, mem::take(&mut arguments[1]), result);
    Ok(())
}

/// Stores a sorted set, or removes the key if it is empty. Replies its length.
pub(crate) fn store(context: &mut Context<'_, '_>, key: Bytes, set: SortedSet) {
    let length = set.len();
    if length == 0 {
        context.keyspace.remove(&key);
    } else {
        let place = context.keyspace.locate(&key);
        (context.keyspace).put(&place, key, set.into_value(), Deadline::Clear);
    }
    context.out.count(length);
}

pub(crate) fn zcount(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    count(context, arguments, By::Score)
}

pub(crate) fn zlexcount(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    count(context, arguments, By::Member)
}

fn count(context: &mut Context<'_, '_>, arguments: &Arguments<'_>, by: By) -> Outcome {
    let bounds = Bounds::parse(by, &arguments[2], &arguments[3])?;
    let set = context.keyspace.read::<SortedSet>(&arguments[1])?;
    let count = set.map_or(0, |set| bounds.ranks(set, false).len());
    context.out.count(count);
    Ok(())
}

pub(crate) fn zremrangebyrank(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    remove(context, arguments, By::Rank)
}

pub(crate) fn zremrangebyscore(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    remove(context, arguments, By::Score)
}

pub(crate) fn zremrangebylex(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    remove(context, arguments, By::Member)
}

fn remove(context: &mut Context<'_, '_>, arguments: &Arguments<'_>, by: By) -> Outcome {
    let bounds = Bounds::parse(by, &arguments[2], &arguments[3])?;
    let out = &mut *context.out;
    let removed = (context.keyspace).update(&arguments[1], |set: &mut SortedSet| {
        let ranks = bounds.ranks(set, false);
        for _ in ranks.clone() {
            out.step();
            if let Some(member) = set.at_rank(ranks.start).map(|it| it.member.clone()) {
                set.remove(&member);
            }
        }
        ranks.len()
    })?;
    context.out.count(removed.unwrap_or(0));
    Ok(())
}
