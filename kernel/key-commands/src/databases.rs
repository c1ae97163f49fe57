//! Commands on whole databases.

use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use keyspace::DATABASES;
use resp::{Arguments, Step, parse_integer};

const OUT_OF_RANGE: Failure = Failure::Fixed("ERR DB index is out of range");

pub(crate) fn dbsize(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    context.out.count(context.keyspace.table().len());
    Ok(())
}

pub(crate) fn flushdb(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    check_how(arguments)?;
    context.keyspace.clear(&mut || context.out.step());
    context.out.ok();
    Ok(())
}

pub(crate) fn flushall(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    check_how(arguments)?;
    let selected = context.keyspace.selected();
    for database in 0..DATABASES {
        context.keyspace.select(database);
        context.keyspace.clear(&mut || context.out.step());
    }
    context.keyspace.select(selected);
    context.out.ok();
    Ok(())
}

/// Checks the option. `ASYNC` changes nothing: freeing never causes a long pause.
fn check_how(arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_] => Ok(()),
        [_, how] if is(how, "sync") || is(how, "async") => Ok(()),
        _ => Err(Failure::SYNTAX),
    }
}

pub(crate) fn swapdb(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let read = |word: &[u8], failure| {
        let index = parse_integer(word).filter(|&index| i32::try_from(index).is_ok());
        index.ok_or(Failure::Fixed(failure))
    };
    let one = read(&arguments[1], "ERR invalid first DB index")?;
    let other = read(&arguments[2], "ERR invalid second DB index")?;
    context.keyspace.swap(number(one)?, number(other)?);
    context.out.ok();
    Ok(())
}

pub(crate) fn move_key(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let database = number(integer(&arguments[2])?)?;
    let source = context.keyspace.selected();
    if database == source {
        return Err(Failure::Fixed(
            "ERR source and destination objects are the same",
        ));
    }
    let key = &arguments[1];
    context.keyspace.select(database);
    let is_there = context.keyspace.locate(key).slot.is_some();
    context.keyspace.select(source);
    let is_moved = !is_there && context.keyspace.move_to(key, database);
    context.out.flag(is_moved);
    Ok(())
}

/// Checks the number of a database.
///
/// # Errors
/// There is none of that number.
pub fn number(index: i64) -> Result<usize, Failure> {
    if i32::try_from(index).is_err() {
        return Err(Failure::Fixed(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let index = usize::try_from(index).ok();
    index.filter(|&index| index < DATABASES).ok_or(OUT_OF_RANGE)
}
