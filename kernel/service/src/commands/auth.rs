//! `AUTH`, and who may run what.

use super::Context;
use super::table::Command;
use crate::connection::{CONSOLE, Connection};
use crate::limits::ServiceLimits;
use crate::record::ConnectionId;
use key_commands::{Failure, NO_AUTH, Outcome};
use resp::Arguments;

const WRONG_PASSWORD: Failure =
    Failure::Fixed("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: Failure = Failure::Fixed(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
     configuration is correct?",
);
const NOT_AUTHENTICATED: Failure = Failure::Fixed("NOAUTH Authentication required.");
/// The error of `HELLO` for a client that has to authenticate.
pub(super) const HELLO_FIRST: Failure = Failure::Fixed(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
     option can be used to authenticate the client and select the RESP protocol version at the same time",
);
/// The reply to a client that `protected_mode` refuses. Redis' text goes on with remedies that do not exist here.
pub(crate) const PROTECTED: Failure = Failure::Fixed(
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the \
     default user. In this mode connections are only accepted from the machine's own network. Boot with \
     requirepass= to set a password, or with protected_mode=no to accept every client.",
);

pub(super) fn auth(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.few() {
        [_, _] if context.limits.password.is_none() => return Err(NO_PASSWORD),
        [_, password] => authenticate(context, b"default", password)?,
        [_, user, password] => authenticate(context, user, password)?,
        _ => return Err(Failure::SYNTAX),
    }
    context.out.ok();
    Ok(())
}

/// Authenticates the client, or fails. There is one user, `default`. Without a password it may give any.
pub(super) fn authenticate(context: &mut Context<'_, '_>, user: &[u8], password: &[u8]) -> Outcome {
    let expected = context.limits.password.as_ref();
    let is_right = expected.is_none_or(|expected| expected.is(password));
    if user != b"default" || !is_right {
        return Err(WRONG_PASSWORD);
    }
    if let Some(client) = context.client() {
        client.is_authenticated = true;
    }
    Ok(())
}

/// Checks that the client may run the command.
pub(super) fn permit(client: Option<&Connection>, command: &Command) -> Outcome {
    let is_authenticated = client.is_some_and(|client| client.is_authenticated);
    if !is_authenticated && command.flags & NO_AUTH == 0 {
        return Err(NOT_AUTHENTICATED);
    }
    Ok(())
}

/// Returns whether a client may give the operator's orders.
pub(super) fn is_operator(limits: &ServiceLimits, connection: ConnectionId) -> bool {
    limits.admin || connection == CONSOLE
}
