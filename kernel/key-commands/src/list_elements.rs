//! Commands on single elements of lists, and on several lists.

use crate::lists::range;
use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use core::mem;
use keyspace::{Bytes, End, List};
use resp::{Arguments, Step};

/// Returns the index of an element; -1 is the last one.
fn index_of(index: i64, length: usize) -> Option<usize> {
    let index = match index {
        0.. => index,
        _ => index.checked_add(length as i64)?,
    };
    usize::try_from(index).ok().filter(|&index| index < length)
}

pub(crate) fn lindex(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let list = context.keyspace.read::<List>(&arguments[1])?;
    let index = integer(&arguments[2])?;
    let element = list.and_then(|list| list.get(index_of(index, list.len())?));
    context.out.bulk_or_null(element.map(Bytes::as_slice));
    Ok(())
}

pub(crate) fn lset(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let index = integer(&arguments[2]);
    let element = mem::take(&mut arguments[3]);
    let Some(list) = context.keyspace.read::<List>(&arguments[1])? else {
        return Err(Failure::NO_SUCH_KEY);
    };
    let index = index_of(index?, list.len()).ok_or(Failure::Fixed("ERR index out of range"))?;
    (context.keyspace).update(&arguments[1], |list: &mut List| list.set(index, element))?;
    context.out.ok();
    Ok(())
}

pub(crate) fn linsert(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let behind = match &arguments[2] {
        place if is(place, "before") => 0,
        place if is(place, "after") => 1,
        _ => return Err(Failure::SYNTAX),
    };
    let element = mem::take(&mut arguments[4]);
    let (pivot, out) = (&arguments[3], &mut *context.out);
    let length = context.keyspace.update(&arguments[1], |list: &mut List| {
        let at = list.iter().position(|element| {
            out.step();
            element == pivot
        })?;
        list.insert(at + behind, element, &mut || out.step());
        Some(list.len())
    })?;
    context.out.integer(match length {
        None => 0,
        Some(None) => -1,
        Some(Some(length)) => length as i64,
    });
    Ok(())
}

pub(crate) fn lrem(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let count = integer(&arguments[2])?;
    let removals_max = match count {
        0 => usize::MAX,
        count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let (unwanted, out) = (&arguments[3], &mut *context.out);
    let end = if count < 0 { End::Back } else { End::Front };
    let removed = context.keyspace.update(&arguments[1], |list: &mut List| {
        list.remove_all(unwanted, end, removals_max, &mut || out.step())
    })?;
    context.out.count(removed.unwrap_or(0));
    Ok(())
}

pub(crate) fn ltrim(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (first, last) = (integer(&arguments[2])?, integer(&arguments[3])?);
    let out = &mut *context.out;
    context.keyspace.update(&arguments[1], |list: &mut List| {
        let kept = range(first, last, list.len());
        for _ in kept.end..list.len() {
            out.step();
            list.pop(End::Back);
        }
        for _ in 0..kept.start.min(list.len()) {
            out.step();
            list.pop(End::Front);
        }
        if kept.is_empty() {
            while list.pop(End::Back).is_some() {
                out.step();
            }
        }
    })?;
    context.out.ok();
    Ok(())
}

pub(crate) fn lpushx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    push_if_there(context, arguments, End::Front)
}

pub(crate) fn rpushx(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    push_if_there(context, arguments, End::Back)
}

fn push_if_there(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    end: End,
) -> Outcome {
    if context.keyspace.read::<List>(&arguments[1])?.is_none() {
        context.out.count(0);
        return Ok(());
    }
    crate::lists::push(context, arguments, end)
}

pub(crate) fn end_of(word: &[u8]) -> Result<End, Failure> {
    match word {
        word if is(word, "left") => Ok(End::Front),
        word if is(word, "right") => Ok(End::Back),
        _ => Err(Failure::SYNTAX),
    }
}

pub(crate) fn lmove(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (from, to) = (end_of(&arguments[3])?, end_of(&arguments[4])?);
    let element = move_element(context, (&arguments[1], &arguments[2]), from, to)?;
    context.out.bulk_or_null(element.as_deref());
    Ok(())
}

pub(crate) fn rpoplpush(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let element = move_element(
        context,
        (&arguments[1], &arguments[2]),
        End::Back,
        End::Front,
    )?;
    context.out.bulk_or_null(element.as_deref());
    Ok(())
}

/// Moves an element from one end of the first list to one end of the second. Returns it.
pub(crate) fn move_element(
    context: &mut Context<'_, '_>,
    (source, destination): (&Bytes, &Bytes),
    from: End,
    to: End,
) -> Result<Option<Bytes>, Failure> {
    if context.keyspace.read::<List>(source)?.is_none() {
        return Ok(None);
    }
    context.keyspace.read::<List>(destination)?;
    if source == destination {
        let rotate = |list: &mut List| {
            let element = list.pop(from)?;
            list.push(to, element.clone());
            Some(element)
        };
        return Ok(context.keyspace.update(source, rotate)?.flatten());
    }
    let element = (context.keyspace)
        .update(source, |list: &mut List| list.pop(from))?
        .flatten();
    if let Some(element) = element.clone() {
        let key = destination.clone();
        (context.keyspace).upsert(key, |list: &mut List| list.push(to, element))?;
    }
    Ok(element)
}

/// The options of `LPOS`.
struct Search {
    rank: i64,
    count: Option<usize>,
    compared_max: usize,
}

pub(crate) fn lpos(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let wanted = mem::take(&mut arguments[2]);
    let mut search = Search {
        rank: 1,
        count: None,
        compared_max: usize::MAX,
    };
    let mut options = arguments.from(3);
    while let Some(option) = options.next(context.out) {
        let value = options.next(context.out).ok_or(Failure::SYNTAX)?;
        let number = |failure| {
            let number = integer(value)?;
            usize::try_from(number).map_err(|_| Failure::Fixed(failure))
        };
        if is(option, "rank") {
            search.rank = integer(value)?;
            if search.rank == 0 {
                return Err(Failure::Fixed(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                     or use negative to start from the end of the list",
                ));
            }
            if search.rank == i64::MIN {
                return Err(Failure::Fixed("ERR value is out of range"));
            }
        } else if is(option, "count") {
            search.count = Some(number("ERR COUNT can't be negative")?);
        } else if is(option, "maxlen") {
            let compared_max = number("ERR MAXLEN can't be negative")?;
            search.compared_max = if compared_max == 0 {
                usize::MAX
            } else {
                compared_max
            };
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let list = context.keyspace.read::<List>(&arguments[1])?;
    let out = &mut *context.out;
    let Some(count) = search.count else {
        let mut found = None;
        search.walk(list, &wanted, 1, &mut || out.step(), |index| {
            found = Some(index)
        });
        match found {
            Some(index) => out.count(index),
            None => out.null(),
        }
        return Ok(());
    };
    let count = if count == 0 { usize::MAX } else { count };
    // Twice: the reply begins with their number.
    let mut found = 0;
    search.walk(list, &wanted, count, &mut || out.step(), |_| found += 1);
    out.array(found);
    search.walk(list, &wanted, count, &mut || (), |index| {
        out.step();
        out.count(index);
    });
    Ok(())
}

impl Search {
    /// Calls `visit` for each match, up to `count` of them.
    fn walk(
        &self,
        list: Option<&List>,
        wanted: &Bytes,
        count: usize,
        step: &mut dyn FnMut(),
        mut visit: impl FnMut(usize),
    ) {
        let Some(list) = list else { return };
        let mut skipped = self.rank.unsigned_abs() - 1;
        let mut left = count;
        for distance in 0..list.len().min(self.compared_max) {
            step();
            let index = match self.rank > 0 {
                true => distance,
                false => list.len() - 1 - distance,
            };
            if left == 0 {
                return;
            }
            if list.get(index) == Some(wanted) {
                if skipped > 0 {
                    skipped -= 1;
                } else {
                    left -= 1;
                    visit(index);
                }
            }
        }
    }
}

pub(crate) fn lmpop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if !pop_first(context, arguments, 1)? {
        context.out.null_array();
    }
    Ok(())
}

/// Runs `LMPOP`, whose number of keys is the argument `at`. Returns false if all lists are empty.
pub(crate) fn pop_first(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    at: usize,
) -> Result<bool, Failure> {
    let keys = crate::words::key_count(arguments, at, Failure::SYNTAX)?;
    let Some(end) = (at + keys + 1 < arguments.len()).then(|| &arguments[at + keys + 1]) else {
        return Err(Failure::SYNTAX);
    };
    let end = end_of(end)?;
    let mut options = arguments.from(at + keys + 2);
    let mut count = None;
    while let Some(option) = options.next(context.out) {
        if !is(option, "count") || count.is_some() {
            return Err(Failure::SYNTAX);
        }
        let number = options.next(context.out).ok_or(Failure::SYNTAX)?;
        let number = integer(number)
            .ok()
            .and_then(|number| usize::try_from(number).ok());
        count = Some(
            number
                .filter(|&number| number > 0)
                .ok_or(Failure::Fixed("ERR count should be greater than 0"))?,
        );
    }
    let count = count.unwrap_or(1);
    let mut words = arguments.from(at + 1);
    for _ in 0..keys {
        let Some(key) = words.next(context.out) else {
            break;
        };
        if context.keyspace.read::<List>(key)?.is_none() {
            continue;
        }
        let out = &mut *context.out;
        out.array(2);
        out.bulk(key);
        context.keyspace.update(key, |list: &mut List| {
            let count = count.min(list.len());
            out.array(count);
            for _ in 0..count {
                out.step();
                out.bulk_or_null(list.pop(end).as_deref());
            }
        })?;
        return Ok(true);
    }
    Ok(false)
}
