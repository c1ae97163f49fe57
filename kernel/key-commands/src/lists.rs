//! Commands on lists.

use crate::reply::Outcome;
use crate::{Context, count, integer};
use core::mem;
use keyspace::{Bytes, End, List};
use resp::{Arguments, Step};

pub(crate) fn lpush(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    push(context, arguments, End::Front)
}

pub(crate) fn rpush(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    push(context, arguments, End::Back)
}

pub(crate) fn push(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    end: End,
) -> Outcome {
    let key = mem::take(&mut arguments[1]);
    let mut elements = arguments.from(2);
    let length = context.keyspace.upsert(key, |list: &mut List| {
        while let Some(element) = elements.next(context.out) {
            list.push(end, mem::take(element));
        }
        list.len()
    })?;
    context.out.count(length);
    Ok(())
}

pub(crate) fn lpop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    pop(context, arguments, End::Front)
}

pub(crate) fn rpop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    pop(context, arguments, End::Back)
}

fn pop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>, end: End) -> Outcome {
    match arguments.few() {
        [_, key] => {
            let element = context
                .keyspace
                .update(key, |list: &mut List| list.pop(end))?;
            let element = element.flatten();
            context.out.bulk_or_null(element.as_deref());
        }
        [_, key, number] => {
            let number = count(number)?;
            let popped = context.keyspace.update(key, |list: &mut List| {
                let number = number.min(list.len());
                context.out.array(number);
                for _ in 0..number {
                    context.out.step();
                    context.out.bulk_or_null(list.pop(end).as_deref());
                }
            })?;
            if popped.is_none() {
                context.out.null_array();
            }
        }
        _ => return Err(context.wrong_arity()),
    }
    Ok(())
}

pub(crate) fn llen(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let list = context.keyspace.read::<List>(&arguments[1])?;
    context.out.count(list.map_or(0, List::len));
    Ok(())
}

pub(crate) fn lrange(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (first, last) = (integer(&arguments[2])?, integer(&arguments[3])?);
    let Some(list) = context.keyspace.read::<List>(&arguments[1])? else {
        context.out.array(0);
        return Ok(());
    };
    let range = range(first, last, list.len());
    context.out.array(range.len());
    for index in range {
        context.out.step();
        context
            .out
            .bulk_or_null(list.get(index).map(Bytes::as_slice));
    }
    Ok(())
}

/// Returns the range of a list of `length` elements from `first` to `last`, both included; -1 is the last element.
pub(crate) fn range(first: i64, last: i64, length: usize) -> core::ops::Range<usize> {
    let length = length as i64;
    let from_start = |index: i64| {
        if index < 0 {
            index.saturating_add(length)
        } else {
            index
        }
    };
    let start = from_start(first).clamp(0, length);
    let end = from_start(last).saturating_add(1).clamp(start, length);
    start as usize..end as usize
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_cut_to_the_list() {
        assert_eq!(range(0, -1, 5), 0..5);
        assert_eq!(range(-3, -2, 5), 2..4);
        assert_eq!(range(-100, 100, 5), 0..5);
        assert_eq!(range(3, 1, 5).len(), 0);
        assert_eq!(range(5, 9, 5).len(), 0);
        assert_eq!(range(0, -6, 5).len(), 0);
        assert_eq!(range(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(range(i64::MAX, i64::MIN, 5).len(), 0);
    }
}
