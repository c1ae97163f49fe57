//! Commands on the time to live of keys.

use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use core::num::NonZeroU64;
use resp::{Arguments, Words};

/// The unit and the origin of a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    fn milliseconds(self, time: i64) -> Option<i64> {
        match self {
            Self::Seconds => time.checked_mul(1000),
            Self::Milliseconds => Some(time),
        }
    }
}

/// Returns the deadline in the arguments of `SET`, in ms.
pub(crate) fn absolute_deadline(
    context: &Context<'_, '_>,
    time: &[u8],
    unit: Unit,
    from_now: bool,
) -> Result<NonZeroU64, Failure> {
    let time = integer(time)?;
    let base_ms = if from_now { now_ms(context) } else { 0 };
    unit.milliseconds(time)
        .filter(|&time_ms| time_ms > 0)
        .and_then(|time_ms| time_ms.checked_add(base_ms))
        .and_then(positive)
        .ok_or_else(|| invalid_time(context))
}

pub(crate) fn expire(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_deadline(context, arguments, Unit::Seconds, true)
}

pub(crate) fn pexpire(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_deadline(context, arguments, Unit::Milliseconds, true)
}

pub(crate) fn expireat(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_deadline(context, arguments, Unit::Seconds, false)
}

pub(crate) fn pexpireat(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    set_deadline(context, arguments, Unit::Milliseconds, false)
}

fn set_deadline(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    unit: Unit,
    from_now: bool,
) -> Outcome {
    let condition = Condition::parse(context, arguments.from(3))?;
    let now_ms = now_ms(context);
    let when_ms = unit
        .milliseconds(integer(&arguments[2])?)
        .and_then(|time_ms| time_ms.checked_add(if from_now { now_ms } else { 0 }))
        .ok_or_else(|| invalid_time(context))?;
    let place = context.keyspace.locate(&arguments[1]);
    let Some(slot) = place.slot else {
        context.out.flag(false);
        return Ok(());
    };
    let current_ms = context
        .keyspace
        .table()
        .entry(slot)
        .and_then(|(_, entry)| entry.deadline_ms);
    let is_met = condition.is_met(current_ms, when_ms);
    if is_met {
        match positive(when_ms).filter(|_| when_ms > now_ms) {
            // The deadline is over: remove the key at once.
            None => {
                context.keyspace.remove(&arguments[1]);
            }
            deadline_ms => context.keyspace.set_deadline(&place, deadline_ms),
        }
    }
    context.out.flag(is_met);
    Ok(())
}

/// The options `NX`, `XX`, `GT` and `LT`.
#[derive(Default)]
struct Condition {
    only_without: bool,
    only_with: bool,
    only_later: bool,
    only_earlier: bool,
}

impl Condition {
    fn parse(context: &mut Context<'_, '_>, mut options: Words<'_>) -> Result<Self, Failure> {
        let mut condition = Self::default();
        while let Some(option) = options.next(context.out) {
            let flag = if is(option, "nx") {
                &mut condition.only_without
            } else if is(option, "xx") {
                &mut condition.only_with
            } else if is(option, "gt") {
                &mut condition.only_later
            } else if is(option, "lt") {
                &mut condition.only_earlier
            } else {
                return Err(Failure::composed(&[b"ERR Unsupported option ", option]));
            };
            *flag = true;
        }
        let others = condition.only_with || condition.only_later || condition.only_earlier;
        if condition.only_without && others {
            return Err(Failure::Fixed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.only_later && condition.only_earlier {
            return Err(Failure::Fixed(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// Returns whether a key with the deadline `current_ms` may get the deadline `when_ms`. A key without a deadline
    /// counts as one with the latest.
    fn is_met(&self, current_ms: Option<NonZeroU64>, when_ms: i64) -> bool {
        let current_ms = current_ms.map(|current_ms| current_ms.get() as i64);
        let is_later = current_ms.is_some_and(|current_ms| when_ms > current_ms);
        let is_earlier = current_ms.is_none_or(|current_ms| when_ms < current_ms);
        !(self.only_without && current_ms.is_some()
            || self.only_with && current_ms.is_none()
            || self.only_later && !is_later
            || self.only_earlier && !is_earlier)
    }
}

pub(crate) fn ttl(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    time_to_live(context, arguments, Unit::Seconds)
}

pub(crate) fn pttl(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    time_to_live(context, arguments, Unit::Milliseconds)
}

pub(crate) fn expiretime(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell_deadline(context, arguments, Unit::Seconds, 0)
}

pub(crate) fn pexpiretime(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    tell_deadline(context, arguments, Unit::Milliseconds, 0)
}

fn time_to_live(context: &mut Context<'_, '_>, arguments: &Arguments<'_>, unit: Unit) -> Outcome {
    let now_ms = context.keyspace.now_ms();
    tell_deadline(context, arguments, unit, now_ms)
}

/// Writes how long after `from_ms` the key expires.
fn tell_deadline(
    context: &mut Context<'_, '_>,
    arguments: &Arguments<'_>,
    unit: Unit,
    from_ms: u64,
) -> Outcome {
    let reply = match context.keyspace.entry(&arguments[1]) {
        None => -2,
        Some(entry) => match entry.deadline_ms {
            None => -1,
            Some(deadline_ms) => {
                let left_ms = deadline_ms.get().saturating_sub(from_ms);
                match unit {
                    Unit::Seconds => (left_ms.saturating_add(500) / 1000) as i64,
                    Unit::Milliseconds => left_ms as i64,
                }
            }
        },
    };
    context.out.integer(reply);
    Ok(())
}

pub(crate) fn persist(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let place = context.keyspace.locate(&arguments[1]);
    let entry = place
        .slot
        .and_then(|slot| context.keyspace.table().entry(slot));
    let has_deadline = entry.is_some_and(|(_, entry)| entry.deadline_ms.is_some());
    if has_deadline {
        context.keyspace.set_deadline(&place, None);
    }
    context.out.flag(has_deadline);
    Ok(())
}

fn now_ms(context: &Context<'_, '_>) -> i64 {
    // The keyspace keeps its time in the signed range.
    context.keyspace.now_ms() as i64
}

fn positive(time_ms: i64) -> Option<NonZeroU64> {
    u64::try_from(time_ms).ok().and_then(NonZeroU64::new)
}

fn invalid_time(context: &Context<'_, '_>) -> Failure {
    Failure::composed(&[
        b"ERR invalid expire time in '",
        context.name.as_bytes(),
        b"' command",
    ])
}
