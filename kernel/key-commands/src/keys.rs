//! Commands on keys of any type.

use crate::Context;
use crate::reply::Outcome;
use resp::Arguments;

pub(crate) fn del(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut deleted = 0;
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        deleted += usize::from(context.keyspace.remove(key));
    }
    context.out.count(deleted);
    Ok(())
}

pub(crate) fn exists(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut found = 0;
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        found += usize::from(context.keyspace.locate(key).slot.is_some());
    }
    context.out.count(found);
    Ok(())
}

pub(crate) fn type_of(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let entry = context.keyspace.entry(&arguments[1]);
    let name = entry.map_or("none", |entry| entry.value.type_name());
    context.out.status(name);
    Ok(())
}
