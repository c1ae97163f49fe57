//! Commands on keys of any type.

use super::{Context, is};
use crate::reply::{Failure, Outcome};
use resp::{Arguments, Step};

pub(super) fn del(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut deleted = 0;
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        deleted += usize::from(context.keyspace.remove(key));
    }
    context.out.count(deleted);
    Ok(())
}

pub(super) fn exists(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut found = 0;
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        found += usize::from(context.keyspace.locate(key).slot.is_some());
    }
    context.out.count(found);
    Ok(())
}

pub(super) fn type_of(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let entry = context.keyspace.entry(&arguments[1]);
    let name = entry.map_or("none", |entry| entry.value.type_name());
    context.out.status(name);
    Ok(())
}

pub(super) fn dbsize(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.count(context.keyspace.len());
    Ok(())
}

/// Runs `FLUSHALL` and `FLUSHDB`, which are the same, because there is one database. `ASYNC` is accepted and changes
/// nothing: freeing never causes a long pause.
pub(super) fn flush(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_] => {}
        [_, how] if is(how, "sync") || is(how, "async") => {}
        _ => return Err(Failure::SYNTAX),
    }
    context.keyspace.clear(&mut || context.out.step());
    context.out.ok();
    Ok(())
}
