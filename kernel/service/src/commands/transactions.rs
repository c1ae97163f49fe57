//! `MULTI`, `EXEC`, `DISCARD`, `WATCH` and `UNWATCH`.

use super::{Context, find, run};
use crate::store::Bytes;
use alloc::boxed::Box;
use key_commands::{DENYOOM, Failure, Outcome, growth_max_bytes};
use resp::{Arguments, Step};

pub(super) fn multi(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    if let Some(client) = context.client() {
        if client.transaction.is_some() {
            return Err(Failure::Fixed("ERR MULTI calls can not be nested"));
        }
        client.transaction = Some(Default::default());
    }
    context.out.ok();
    Ok(())
}

pub(super) fn discard(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    if context
        .client()
        .is_none_or(|client| client.transaction.is_none())
    {
        return Err(Failure::Fixed("ERR DISCARD without MULTI"));
    }
    forget_begun(context);
    context.out.ok();
    Ok(())
}

pub(super) fn watch(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    if context
        .client()
        .is_some_and(|client| client.transaction.is_some())
    {
        return Err(Failure::Fixed("ERR WATCH inside MULTI is not allowed"));
    }
    let mut keys = arguments.from(1);
    while let Some(key) = keys.next(context.out) {
        let watched = context.keyspace.watch(key);
        match context.client() {
            Some(client) => client.watches.add(watched),
            None => context.keyspace.unwatch(watched),
        }
    }
    context.out.ok();
    Ok(())
}

pub(super) fn unwatch(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let (connections, keyspace) = (&mut *context.connections, &mut *context.keyspace);
    if let Some(client) = connections.get_mut(&context.connection) {
        client.watches.clear(keyspace);
    }
    context.out.ok();
    Ok(())
}

/// Forgets the client's transaction, and what it watches.
pub(super) fn forget_begun(context: &mut Context<'_, '_>) {
    let (connections, keyspace) = (&mut *context.connections, &mut *context.keyspace);
    if let Some(client) = connections.get_mut(&context.connection) {
        client.forget_begun(keyspace);
    }
}

pub(super) fn exec(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let client = context.connections.get_mut(&context.connection);
    let Some((client, transaction)) =
        client.and_then(|it| it.transaction.take().map(|transaction| (it, transaction)))
    else {
        return Err(Failure::Fixed("ERR EXEC without MULTI"));
    };
    let mut is_changed = false;
    for watched in client.watches.all() {
        context.out.step();
        is_changed |= context.keyspace.has_changed(watched);
    }
    client.watches.clear(context.keyspace);
    if transaction.is_refused {
        return Err(Failure::Fixed(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if is_changed {
        context.out.null_array();
        return Ok(());
    }
    let mut requests = transaction.into_requests();
    check_memory(context, &mut requests)?;
    context.out.array(requests.len());
    context.is_in_transaction = true;
    for mut request in requests {
        context.out.step();
        let mut arguments = Arguments::new(&mut request);
        match find(&mut arguments, context.out) {
            Ok(command) => {
                context.command = command;
                run(context, &mut arguments);
            }
            Err(failure) => context.out.failure(&failure),
        }
        let out = &mut *context.out;
        context.keyspace.collect_garbage(&mut || out.step());
    }
    Ok(())
}

/// Checks that there is room for all of it, so that no transaction is carried out by half.
fn check_memory(context: &mut Context<'_, '_>, requests: &mut [Box<[Bytes]>]) -> Outcome {
    let mut growth_bytes = 0;
    for request in requests {
        let mut arguments = Arguments::new(request);
        let command = find(&mut arguments, context.out);
        if command.is_ok_and(|command| command.flags & DENYOOM != 0) {
            growth_bytes += growth_max_bytes(context.out, &mut arguments);
        }
    }
    let room = if growth_bytes > 0 {
        context.room_for(growth_bytes)
    } else {
        Ok(())
    };
    room.map_err(|failure| {
        Failure::composed(&[
            b"EXECABORT Transaction discarded because of: ",
            failure.text(),
        ])
    })
}
