//! `CLIENT KILL`: ends other clients' connections, or the own one.

use super::Context;
use super::client_list::{is_type, kind, local_address};
use crate::connection::{CANARY, CONSOLE, Connection};
use crate::record::ConnectionId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use key_commands::{Failure, Outcome, is};
use resp::{Arguments, Step, parse_integer};

/// Whose connections end. A filter that is not given fits everybody.
#[derive(Default)]
struct Filters {
    id: Option<ConnectionId>,
    kind: Option<&'static str>,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    spares_own: bool,
}

impl Filters {
    fn parse(
        context: &mut Context<'_, '_>,
        arguments: &mut Arguments<'_>,
    ) -> Result<Self, Failure> {
        let mut filters = Self {
            spares_own: true,
            ..Self::default()
        };
        let mut words = arguments.from(2);
        while words.left() > 0 {
            let (name, value) = words.next_pair(context.out).ok_or(Failure::SYNTAX)?;
            if is(name, "id") {
                let id = parse_integer(value).filter(|&id| id > 0);
                let id = id.ok_or(Failure::Fixed("ERR client-id should be greater than 0"))?;
                filters.id = Some(id.unsigned_abs());
            } else if is(name, "type") {
                filters.kind = Some(is_type(value)?);
            } else if is(name, "addr") {
                filters.address = Some(value.to_vec());
            } else if is(name, "laddr") {
                filters.local_address = Some(value.to_vec());
            } else if is(name, "user") {
                if value.as_slice() != b"default" {
                    return Err(Failure::composed(&[b"ERR No such user '", value, b"'"]));
                }
            } else if is(name, "skipme") && (is(value, "yes") || is(value, "no")) {
                filters.spares_own = is(value, "yes");
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(filters)
    }

    /// Returns whether they fit a client whose service listens at `local`.
    fn fit(&self, id: ConnectionId, client: &Connection, local: &str) -> bool {
        let address = || -> String { format!("{}", client.peer) };
        self.id.is_none_or(|wanted| wanted == id)
            && self.kind.is_none_or(|wanted| wanted == kind(client))
            && (self.local_address.as_ref()).is_none_or(|wanted| wanted == local.as_bytes())
            && (self.address.as_ref()).is_none_or(|wanted| wanted == address().as_bytes())
    }
}

/// Runs `CLIENT KILL`. The console and the canary are no clients that could be killed.
pub(super) fn kill(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let is_old_form = arguments.len() == 3;
    let filters = match is_old_form {
        true => Filters {
            address: Some(arguments[2].to_vec()),
            ..Filters::default()
        },
        false => Filters::parse(context, arguments)?,
    };
    let local = local_address(context);
    let mut killed = 0;
    for (&id, client) in &*context.connections {
        context.out.step();
        let is_own = id == context.connection;
        let is_spared = is_own && filters.spares_own || id == CONSOLE || id == CANARY;
        if is_spared || !filters.fit(id, client, &local) {
            continue;
        }
        killed += 1;
        match is_own {
            true => context.hang_up = true,
            false => context.killed.push(id),
        }
    }
    match (is_old_form, killed) {
        (true, 0) => return Err(Failure::Fixed("ERR No such client")),
        (true, _) => context.out.ok(),
        (false, _) => context.out.count(killed),
    }
    Ok(())
}
