//! `SORT`: the elements of a list, a set or a sorted set, in another order, or what other keys say of them.

use crate::reply::{Failure, Outcome};
use crate::{Context, decimal, integer, is};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;
use core::ops::Range;
use keyspace::{Bytes, Deadline, ENTRY_BYTES, End, Hash, Keyspace, Kind, List, Value, heap_bytes};
use resp::{Arguments, Step};

const NOT_A_DOUBLE: Failure =
    Failure::Fixed("ERR One or more scores can't be converted into double");

/// What `SORT` is told.
struct Options {
    is_descending: bool,
    is_alphabetic: bool,
    offset: i64,
    limit: i64,
    by: Option<Bytes>,
    gets: Vec<Bytes>,
    destination: Option<Bytes>,
}

impl Options {
    fn parse(
        context: &mut Context<'_, '_>,
        arguments: &mut Arguments<'_>,
        may_store: bool,
    ) -> Result<Self, Failure> {
        let mut options = Self {
            is_descending: false,
            is_alphabetic: false,
            offset: 0,
            limit: -1,
            by: None,
            gets: Vec::new(),
            destination: None,
        };
        let mut words = arguments.from(2);
        while let Some(word) = words.next(context.out) {
            let has_value = words.left() >= 1;
            if is(word, "asc") {
                options.is_descending = false;
            } else if is(word, "desc") {
                options.is_descending = true;
            } else if is(word, "alpha") {
                options.is_alphabetic = true;
            } else if is(word, "limit") && words.left() >= 2 {
                let pair = words.next_pair(context.out);
                let (offset, limit) = pair.ok_or(Failure::SYNTAX)?;
                (options.offset, options.limit) = (integer(offset)?, integer(limit)?);
            } else if has_value && may_store && is(word, "store") {
                options.destination = words.next(context.out).map(mem::take);
            } else if has_value && is(word, "by") {
                options.by = words.next(context.out).map(mem::take);
            } else if has_value && is(word, "get") {
                options.gets.extend(words.next(context.out).map(mem::take));
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Returns whether the order is that of the value itself.
    fn is_unsorted(&self) -> bool {
        self.by.as_ref().is_some_and(|by| !by.contains(&b'*'))
    }

    /// Returns the part of `length` elements that is wanted.
    fn range(&self, length: usize) -> Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(length);
        let count = usize::try_from(self.limit).unwrap_or(usize::MAX);
        start..length.min(start.saturating_add(count))
    }
}

/// What an element is sorted by.
enum Weight {
    /// It is sorted by itself.
    Own,
    Number(f64),
    Text(Option<Bytes>),
}

/// Memory that sorting takes for an element, in bytes.
const SORTED_BYTES: u64 = 80;

pub(crate) fn sort(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, true)
}

pub(crate) fn sort_ro(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, false)
}

fn run(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, may_store: bool) -> Outcome {
    let options = Options::parse(context, arguments, may_store)?;
    let room_bytes = context.room_bytes();
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let value = keyspace.peek_value(&arguments[1]);
    let mut elements: Vec<&Bytes> = match value {
        None => Vec::new(),
        Some(Value::List(list)) => list.iter().inspect(|_| out.step()).collect(),
        Some(Value::Set(set)) => set.iter().inspect(|_| out.step()).collect(),
        Some(Value::SortedSet(set)) => {
            let members = set.ranks(0..usize::MAX).inspect(|_| out.step());
            members.map(|scored| &scored.member).collect()
        }
        Some(_) => return Err(Failure::WRONG_TYPE),
    };
    if options.is_unsorted() && options.is_descending {
        elements.reverse();
    }
    let order = sorted(
        keyspace,
        &elements,
        &options,
        (value, room_bytes),
        &mut || out.step(),
    )?;
    let wanted = &order[options.range(order.len())];
    let own = [Bytes::from_slice(b"#")];
    let gets = match options.gets.as_slice() {
        [] => &own[..],
        gets => gets,
    };
    let Some(destination) = options.destination else {
        out.array(wanted.len() * gets.len());
        for &element in wanted {
            for get in gets {
                out.step();
                let found = looked_up(keyspace, get, elements[element]);
                out.bulk_or_null(found.as_deref());
            }
        }
        return Ok(());
    };
    let (mut list, mut room_bytes) = (List::default(), room_bytes);
    for &element in wanted {
        for get in gets {
            out.step();
            let found = looked_up(keyspace, get, elements[element]).unwrap_or_default();
            let bytes = ENTRY_BYTES + heap_bytes(found.len());
            let Some(left) = room_bytes.checked_sub(bytes) else {
                list.into_value().discard(&mut || out.step());
                return Err(Failure::OUT_OF_MEMORY);
            };
            room_bytes = left;
            list.push(End::Back, found);
        }
    }
    let length = list.len();
    if length == 0 {
        context.keyspace.remove(&destination);
    } else {
        let place = context.keyspace.locate(&destination);
        (context.keyspace).put(&place, destination, list.into_value(), Deadline::Clear);
    }
    context.out.count(length);
    Ok(())
}

/// Returns the elements' numbers in the order that is wanted.
fn sorted(
    keyspace: &Keyspace,
    elements: &[&Bytes],
    options: &Options,
    (value, room_bytes): (Option<&Value>, u64),
    step: &mut dyn FnMut(),
) -> Result<Vec<usize>, Failure> {
    let needed_bytes = SORTED_BYTES * elements.len() as u64;
    let room_bytes = room_bytes.checked_sub(needed_bytes);
    let mut room_bytes = room_bytes.ok_or(Failure::OUT_OF_MEMORY)?;
    let mut order: Vec<usize> = (0..elements.len()).collect();
    // What is stored from a set has to be the same on every server, as in Redis.
    let is_stored_set = options.destination.is_some() && matches!(value, Some(Value::Set(_)));
    let (is_alphabetic, by) = match options.is_unsorted() {
        true if is_stored_set => (true, None),
        true => return Ok(order),
        false => (options.is_alphabetic, options.by.as_ref()),
    };
    let mut weights = Vec::with_capacity(elements.len());
    for element in elements {
        step();
        let text = match by {
            None if is_alphabetic => {
                weights.push(Weight::Own);
                continue;
            }
            None => Some((*element).clone()),
            Some(by) => looked_up(keyspace, by, element),
        };
        weights.push(match (is_alphabetic, text) {
            (true, text) => {
                let bytes = text.as_ref().map_or(0, |text| heap_bytes(text.len()));
                let left = room_bytes.checked_sub(bytes);
                room_bytes = left.ok_or(Failure::OUT_OF_MEMORY)?;
                Weight::Text(text)
            }
            (false, None) => Weight::Number(0.0),
            (false, Some(text)) => Weight::Number(decimal::parse(&text).ok_or(NOT_A_DOUBLE)?),
        });
    }
    let compare = |one: &usize, other: &usize| {
        step();
        // Equal numbers are ordered by the elements; equal texts stay in the order that they have.
        let order = match (&weights[*one], &weights[*other]) {
            (Weight::Number(one_weight), Weight::Number(other_weight)) => {
                let by_weight = one_weight.partial_cmp(other_weight);
                let by_weight = by_weight.unwrap_or(Ordering::Equal);
                by_weight.then_with(|| elements[*one].cmp(elements[*other]))
            }
            (Weight::Text(one), Weight::Text(other)) => one.cmp(other),
            _ => elements[*one].cmp(elements[*other]),
        };
        let order = match options.is_descending {
            true => order.reverse(),
            false => order,
        };
        order.then(one.cmp(other))
    };
    heap_sort(&mut order, compare);
    Ok(order)
}

/// Sorts in place. The standard library's sort may recurse, and takes memory; this one does neither.
fn heap_sort(order: &mut [usize], mut compare: impl FnMut(&usize, &usize) -> Ordering) {
    let mut sift = |order: &mut [usize], mut root: usize, end: usize| {
        while let child = 2 * root + 1
            && child < end
        {
            let right = child + 1;
            let is_right = right < end && compare(&order[child], &order[right]).is_lt();
            let largest = if is_right { right } else { child };
            if compare(&order[root], &order[largest]).is_ge() {
                return;
            }
            order.swap(root, largest);
            root = largest;
        }
    };
    for root in (0..order.len() / 2).rev() {
        sift(order, root, order.len());
    }
    for end in (1..order.len()).rev() {
        order.swap(0, end);
        sift(order, 0, end);
    }
}

/// Returns what a pattern says of an element: `#` the element itself, `key_*` the string of a key, and `key_*->field`
/// the value of a hash's field.
fn looked_up(keyspace: &Keyspace, pattern: &[u8], element: &[u8]) -> Option<Bytes> {
    if pattern == b"#" {
        return Some(Bytes::from_slice(element));
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let arrow = pattern[star + 1..]
        .windows(2)
        .position(|pair| pair == b"->")
        .map(|at| star + 1 + at)
        .filter(|at| at + 2 < pattern.len());
    let end = arrow.unwrap_or(pattern.len());
    let key = [&pattern[..star], element, &pattern[star + 1..end]].concat();
    match arrow {
        None => keyspace.peek::<Bytes>(&key).ok()?.cloned(),
        Some(arrow) => {
            let hash = keyspace.peek::<Hash>(&key).ok()??;
            hash.get(&pattern[arrow + 2..]).cloned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_sort_sorts() {
        for length in 0..200_usize {
            let mut order: Vec<usize> = (0..length).map(|it| it * 7919 % (length + 3)).collect();
            let mut expected = order.clone();
            expected.sort_unstable();
            heap_sort(&mut order, |one, other| one.cmp(other));
            assert_eq!(order, expected);
        }
    }
}
