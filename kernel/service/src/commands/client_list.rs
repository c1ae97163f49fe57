//! `CLIENT LIST` and `CLIENT INFO`, and what they call a client.

use super::Context;
use crate::connection::Connection;
use crate::record::ConnectionId;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use key_commands::{Failure, Outcome, Output, is};
use resp::{Arguments, Step, parse_integer};

pub(super) fn info(context: &mut Context<'_, '_>, _: &mut Arguments<'_>) -> Outcome {
    let line = context
        .connections
        .get(&context.connection)
        .map(|client| Line::new(context).of(context.connection, client));
    context.out.verbatim(&line.unwrap_or_default());
    Ok(())
}

pub(super) fn list(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let mut wanted = None;
    let is_all = match &arguments.few()[2..] {
        [] => true,
        [option, name] if is(option, "type") => {
            wanted = Some(is_type(name)?);
            true
        }
        [option, _, ..] if is(option, "id") => false,
        _ => return Err(Failure::SYNTAX),
    };
    let format = Line::new(context);
    let (connections, out) = (&*context.connections, &mut *context.out);
    // Make each line twice: the reply begins with its length, and a client may ask for the same line a million times.
    let mut length = 0;
    for is_counting in [true, false] {
        if !is_counting {
            out.verbatim_header(length);
        }
        let mut visit = |out: &mut Output<'_>, id, client| {
            let line = format.of(id, client);
            match is_counting {
                true => length += line.len(),
                false => out.raw(line.as_bytes()),
            }
        };
        if is_all {
            for (&id, client) in connections {
                out.step();
                if wanted.is_none_or(|wanted| wanted == kind(client)) {
                    visit(out, id, client);
                }
            }
        } else {
            let mut ids = arguments.from(3);
            while let Some(id) = ids.next(out) {
                let id = parse_integer(id).ok_or(Failure::Fixed("ERR Invalid client ID"))?;
                if let Ok(id) = ConnectionId::try_from(id)
                    && let Some(client) = connections.get(&id)
                {
                    visit(out, id, client);
                }
            }
        }
    }
    out.raw(b"\r\n");
    Ok(())
}

/// Reads the name of a type of client.
pub(super) fn is_type(name: &[u8]) -> Result<&'static str, Failure> {
    let known = ["normal", "master", "replica", "pubsub"];
    let found = known.into_iter().find(|known| is(name, known));
    let found = found.or(is(name, "slave").then_some("replica"));
    found.ok_or_else(|| Failure::composed(&[b"ERR Unknown client type '", name, b"'"]))
}

/// Returns the type of a client. One that monitors is a normal one; there are no masters and no replicas.
pub(super) fn kind(client: &Connection) -> &'static str {
    match client.subscriptions.count() {
        0 => "normal",
        _ => "pubsub",
    }
}

/// Returns what clients have connected to, as `CLIENT LIST` says it.
pub(super) fn local_address(context: &Context<'_, '_>) -> String {
    format!("0.0.0.0:{}", context.status.port)
}

/// Returns what kind of client it is, in Redis' letters.
fn flags(client: &Connection, is_monitor: bool) -> String {
    let all = [
        (is_monitor, 'O'),
        (client.subscriptions.count() > 0, 'P'),
        (client.transaction.is_some(), 'x'),
        (client.blocked.is_some(), 'b'),
        (client.no_evict, 'e'),
    ];
    let flags: String = all
        .into_iter()
        .filter_map(|(is_set, flag)| is_set.then_some(flag))
        .collect();
    if flags.is_empty() { "N".into() } else { flags }
}

/// Makes the lines of `CLIENT LIST`.
struct Line {
    now_ms: u64,
    local: String,
    monitors: BTreeSet<ConnectionId>,
}

impl Line {
    fn new(context: &Context<'_, '_>) -> Self {
        Self {
            now_ms: context.keyspace.now_ms(),
            local: local_address(context),
            monitors: context.monitors.clone(),
        }
    }

    /// Makes the line of a client, with the fields of Redis. Fields that mean nothing here are 0.
    fn of(&self, id: ConnectionId, client: &Connection) -> String {
        let age_s = (self.now_ms - client.opened_ms) / 1000;
        let idle_s = (self.now_ms - client.last_input_ms) / 1000;
        let kept_bytes = client.kept_bytes();
        format!(
            "id={id} addr={peer} laddr={local} fd={id} name={name} age={age_s} idle={idle_s} \
             flags={flags} db={database} sub={sub} psub={psub} ssub=0 multi={multi} qbuf={kept_bytes} qbuf-free=0 \
             argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem={kept_bytes} events=r \
             cmd={command} user=default redir=-1 resp={resp}\n",
            peer = client.peer,
            local = self.local,
            database = client.database,
            sub = client.subscriptions.channels(),
            psub = client.subscriptions.patterns(),
            multi = client
                .transaction
                .as_ref()
                .map_or(-1, |it| it.requests().len() as i64),
            resp = client.protocol.version(),
            name = String::from_utf8_lossy(&client.name),
            flags = flags(client, self.monitors.contains(&id)),
            command = client.last_command,
        )
    }
}
