//! Commands that wait for an element of a list or a member of a sorted set: what they wait for, and how they take it.

use crate::list_elements::{end_of, move_element};
use crate::reply::{Failure, Outcome};
use crate::sorted_sets::pop_members;
use crate::words::key_count;
use crate::{Context, count, decimal, is};
use alloc::vec::Vec;
use keyspace::{Bytes, End, List, SortedSet, Value};
use resp::{Arguments, Step};

/// What a command takes when it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An element of a list.
    Element(End),
    /// An element, to be moved to an end of another list.
    Moved {
        /// The end that it is taken from.
        from: End,
        /// The end that it is put to.
        to: End,
        /// The key of the other list.
        destination: Bytes,
    },
    /// Elements of a list, at most so many.
    Elements(End, usize),
    /// The member of a sorted set with the lowest or the highest score.
    Member(End),
    /// Members of a sorted set, at most so many.
    Members(End, usize),
}

impl Wish {
    /// Returns whether a value is of the type that it is about.
    pub fn is_about(&self, value: &Value) -> bool {
        match self {
            Self::Element(_) | Self::Moved { .. } | Self::Elements(..) => {
                matches!(value, Value::List(_))
            }
            Self::Member(_) | Self::Members(..) => matches!(value, Value::SortedSet(_)),
        }
    }
}

/// A request that may have to wait.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What it takes.
    pub wish: Wish,
    /// The keys that it looks at, in that order.
    pub keys: Vec<Bytes>,
    /// How long it waits, in ms; 0 for ever.
    pub timeout_ms: u64,
}

/// Reads how long to wait, in seconds. Returns ms.
fn timeout_ms(word: &[u8]) -> Result<u64, Failure> {
    const INVALID: Failure = Failure::Fixed("ERR timeout is not a float or out of range");
    let seconds = decimal::parse(word).ok_or(INVALID)?;
    let ms = seconds * 1000.0;
    let whole = ms as i64;
    // As in Redis, where what is too large overflows.
    if whole < 0 || ms >= i64::MAX as f64 {
        return Err(Failure::Fixed("ERR timeout is negative"));
    }
    Ok(whole.unsigned_abs() + u64::from((whole as f64) < ms))
}

impl Wait {
    /// Reads the request of a command that may have to wait, by its name.
    ///
    /// # Errors
    /// As Redis'.
    pub fn parse(
        name: &str,
        arguments: &mut Arguments<'_>,
        steps: &mut impl Step,
    ) -> Result<Self, Failure> {
        match name {
            "blpop" => Self::of_keys(arguments, steps, Wish::Element(End::Front)),
            "brpop" => Self::of_keys(arguments, steps, Wish::Element(End::Back)),
            "bzpopmin" => Self::of_keys(arguments, steps, Wish::Member(End::Front)),
            "bzpopmax" => Self::of_keys(arguments, steps, Wish::Member(End::Back)),
            "brpoplpush" => {
                let ends = (End::Back, End::Front);
                Self::of_move(arguments, ends, timeout_ms(&arguments[3])?)
            }
            "blmove" => {
                let ends = (end_of(&arguments[3])?, end_of(&arguments[4])?);
                Self::of_move(arguments, ends, timeout_ms(&arguments[5])?)
            }
            _ => Self::of_many(arguments, steps, name == "bzmpop"),
        }
    }

    /// Reads keys, and behind them the time.
    fn of_keys(
        arguments: &mut Arguments<'_>,
        steps: &mut impl Step,
        wish: Wish,
    ) -> Result<Self, Failure> {
        let timeout_ms = timeout_ms(&arguments[arguments.len() - 1])?;
        let mut keys = Vec::with_capacity(arguments.len() - 2);
        let mut words = arguments.from(1);
        while words.left() > 1
            && let Some(key) = words.next(steps)
        {
            keys.push(key.clone());
        }
        Ok(Self {
            wish,
            keys,
            timeout_ms,
        })
    }

    fn of_move(
        arguments: &Arguments<'_>,
        (from, to): (End, End),
        timeout_ms: u64,
    ) -> Result<Self, Failure> {
        Ok(Self {
            wish: Wish::Moved {
                from,
                to,
                destination: arguments[2].clone(),
            },
            keys: alloc::vec![arguments[1].clone()],
            timeout_ms,
        })
    }

    /// Reads the time, the number of keys, the keys, the end, and how many to take.
    fn of_many(
        arguments: &mut Arguments<'_>,
        steps: &mut impl Step,
        is_sorted: bool,
    ) -> Result<Self, Failure> {
        let timeout_ms = timeout_ms(&arguments[1])?;
        let number = key_count(arguments, 2, Failure::SYNTAX)?;
        let mut words = arguments.from(3);
        let mut keys = Vec::with_capacity(number);
        while keys.len() < number
            && let Some(key) = words.next(steps)
        {
            keys.push(key.clone());
        }
        let end = words.next(steps).ok_or(Failure::SYNTAX)?;
        let end = match is_sorted {
            false => end_of(end)?,
            true if is(end, "min") => End::Front,
            true if is(end, "max") => End::Back,
            true => return Err(Failure::SYNTAX),
        };
        let mut taken = None;
        while let Some(option) = words.next(steps) {
            let given = words.next(steps).ok_or(Failure::SYNTAX)?;
            if !is(option, "count") || taken.is_some() {
                return Err(Failure::SYNTAX);
            }
            let given = count(given).ok().filter(|&number| number > 0);
            taken = Some(given.ok_or(Failure::Fixed("ERR count should be greater than 0"))?);
        }
        let taken = taken.unwrap_or(1);
        Ok(Self {
            wish: match is_sorted {
                true => Wish::Members(end, taken),
                false => Wish::Elements(end, taken),
            },
            keys,
            timeout_ms,
        })
    }

    /// Takes what is there. Returns false if there is nothing.
    ///
    /// # Errors
    /// A key has a value of another type.
    pub fn take(&self, context: &mut Context<'_, '_>) -> Result<bool, Failure> {
        for key in &self.keys {
            context.out.step();
            match context.keyspace.entry(key) {
                None => {}
                Some(entry) if self.wish.is_about(&entry.value) => {
                    self.wish.take(context, key)?;
                    return Ok(true);
                }
                Some(_) => return Err(Failure::WRONG_TYPE),
            }
        }
        Ok(false)
    }
}

impl Wish {
    /// Takes it from a key that has it, and writes it.
    ///
    /// # Errors
    /// The key that it is moved to has a value of another type.
    pub fn take(&self, context: &mut Context<'_, '_>, key: &Bytes) -> Outcome {
        match self {
            Self::Element(end) => {
                context.out.array(2);
                context.out.bulk(key);
                let element = context
                    .keyspace
                    .update(key, |list: &mut List| list.pop(*end))?;
                context.out.bulk_or_null(element.flatten().as_deref());
            }
            Self::Moved {
                from,
                to,
                destination,
            } => {
                let element = move_element(context, (key, destination), *from, *to)?;
                context.out.bulk_or_null(element.as_deref());
            }
            Self::Elements(end, number) => {
                let out = &mut *context.out;
                out.array(2);
                out.bulk(key);
                context.keyspace.update(key, |list: &mut List| {
                    let number = (*number).min(list.len());
                    out.array(number);
                    for _ in 0..number {
                        out.step();
                        out.bulk_or_null(list.pop(*end).as_deref());
                    }
                })?;
            }
            Self::Member(end) => {
                context.out.array(3);
                context.out.bulk(key);
                pop_members(context, key, *end, 1, false)?;
            }
            Self::Members(end, number) => {
                let set = context.keyspace.read::<SortedSet>(key)?;
                let number = (*number).min(set.map_or(0, SortedSet::len));
                context.out.array(2);
                context.out.bulk(key);
                context.out.array(number);
                pop_members(context, key, *end, number, true)?;
            }
        }
        Ok(())
    }
}
