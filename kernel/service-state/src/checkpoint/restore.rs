//! Restoring the service's state from a checkpoint.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use checkpoint::{Item, Items, Joiner, Malformed, decode};

use super::clients::{self, Begun, Client};
use super::value::{OpenValue, PartialValue, Piece, ValueHead};
use super::{Head, Server, Vocabulary};
use crate::connection::{Connection, Connections};
use crate::limits::ServiceLimits;
use crate::record::ConnectionId;
use crate::state::State;
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::{Bytes, COUNT_MAX, DATABASES, Deadline, Value};

/// Restores what the service knows from a checkpoint.
pub struct StateRestorer {
    vocabulary: Vocabulary,
    state: State,
    joiner: Joiner,
    expected: Expected,
    /// A large value that was begun.
    open: Option<OpenValue>,
    /// The connection that came last.
    last_connection: Option<ConnectionId>,
    is_whole: bool,
}

/// What the next string is.
enum Expected {
    /// There is none: a head comes next.
    Nothing,
    InsertedKey,
    RemovedKey,
    ValueKey(ValueHead),
    OpenKey(ValueHead),
    Piece(Piece),
    Element(PartialValue),
    Strings {
        of: Box<Strings>,
        strings: Vec<Bytes>,
        missing: u64,
    },
    Status(Server),
}

/// What has several strings.
enum Strings {
    Connection(Client),
    Begun(Begun),
}

impl StateRestorer {
    /// Begins, with that of an empty service.
    pub fn new(limits: ServiceLimits, vocabulary: Vocabulary) -> Self {
        Self {
            vocabulary,
            state: State::new(limits),
            joiner: Joiner::default(),
            expected: Expected::Nothing,
            open: None,
            last_connection: None,
            is_whole: false,
        }
    }

    /// Takes the items of one record. Calls `step` for each of them.
    ///
    /// # Errors
    /// They cannot be what comes next. The restorer cannot be used any more.
    pub fn restore(&mut self, items: Items<'_>, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        for item in items {
            step();
            match item? {
                Item::Head(head) => self.head(decode(head)?, step)?,
                Item::Part { bytes, is_last } => {
                    if let Some(string) = self.joiner.join(bytes, is_last) {
                        self.string(string, step)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns it.
    ///
    /// # Errors
    /// The end of the service's state is missing.
    pub fn finish(self) -> Result<State, Malformed> {
        if self.is_whole {
            Ok(self.state)
        } else {
            Err(Malformed("the service's end is missing"))
        }
    }

    fn head(&mut self, head: Head, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        if !matches!(self.expected, Expected::Nothing) || self.joiner.is_amid() {
            return Err(Malformed("a string of the service is missing"));
        }
        self.expected = match head {
            Head::Database(database) if usize::from(database) < DATABASES => {
                self.state.keyspace.select(database.into());
                Expected::Nothing
            }
            Head::Swap(one, other) if usize::from(one.max(other)) < DATABASES => {
                self.state.keyspace.swap(one.into(), other.into());
                Expected::Nothing
            }
            Head::Database(_) | Head::Swap(..) => {
                return Err(Malformed("a database that is not there"));
            }
            Head::Insert => Expected::InsertedKey,
            Head::Remove => Expected::RemovedKey,
            Head::Clear => {
                self.state.keyspace.clear(step);
                Expected::Nothing
            }
            Head::Value {
                form,
                deadline_ms,
                elements,
            } => Expected::ValueKey(ValueHead::checked(form, deadline_ms, elements)?),
            Head::Begin {
                form,
                deadline_ms,
                elements,
            } => Expected::OpenKey(ValueHead::checked(form, deadline_ms, elements)?),
            Head::More {
                strings,
                continues,
                open_bytes,
            } => Expected::Piece(Piece::checked(strings, continues, open_bytes)?),
            Head::Abandon => {
                self.open = None;
                Expected::Nothing
            }
            Head::Connection(client) => {
                self.strings(client.strings(), Strings::Connection(client), step)?
            }
            Head::Begun(begun) => self.strings(begun.strings(), Strings::Begun(begun), step)?,
            Head::Server(server) => Expected::Status(server),
        };
        Ok(())
    }

    fn string(&mut self, string: Cow<'_, [u8]>, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        let keyspace = &mut self.state.keyspace;
        self.expected = match core::mem::replace(&mut self.expected, Expected::Nothing) {
            Expected::Nothing => return Err(Malformed("a string without a head")),
            Expected::InsertedKey => {
                let place = keyspace.locate(&string);
                if place.slot.is_some() {
                    return Err(Malformed("a key is added twice"));
                }
                let empty = Value::String(Bytes::new());
                keyspace.put(&place, bytes(string), empty, Deadline::Clear);
                Expected::Nothing
            }
            Expected::RemovedKey => {
                if !keyspace.remove(&string) {
                    return Err(Malformed("a missing key is removed"));
                }
                keyspace.collect_garbage(step);
                Expected::Nothing
            }
            Expected::ValueKey(head) => Expected::Element(head.begin(bytes(string), keyspace)),
            Expected::OpenKey(head) => {
                self.open = Some(OpenValue::new(head.begin(bytes(string), keyspace)));
                Expected::Nothing
            }
            Expected::Piece(mut piece) => {
                let mut open = (self.open.take()).ok_or(Malformed("a piece of no value"))?;
                let is_last = piece.take(&mut open, string)?;
                if let Some(open) = open.stored(keyspace, step) {
                    self.open = Some(open);
                }
                match is_last {
                    true => Expected::Nothing,
                    false => Expected::Piece(piece),
                }
            }
            Expected::Element(mut value) => {
                value.push(bytes(string))?;
                match value.is_complete() {
                    true => {
                        value.store(keyspace, step);
                        Expected::Nothing
                    }
                    false => Expected::Element(value),
                }
            }
            Expected::Strings {
                of,
                mut strings,
                missing,
            } => {
                strings.push(bytes(string));
                match missing - 1 {
                    0 => {
                        self.take_strings(*of, strings, step)?;
                        Expected::Nothing
                    }
                    missing => Expected::Strings {
                        of,
                        strings,
                        missing,
                    },
                }
            }
            Expected::Status(server) => {
                self.end(server, &string)?;
                Expected::Nothing
            }
        };
        Ok(())
    }

    /// Returns what comes next: `missing` strings.
    fn strings(
        &mut self,
        missing: u64,
        of: Strings,
        step: &mut dyn FnMut(),
    ) -> Result<Expected, Malformed> {
        if missing == 0 {
            self.take_strings(of, Vec::new(), step)?;
            return Ok(Expected::Nothing);
        }
        Ok(Expected::Strings {
            of: Box::new(of),
            strings: Vec::new(),
            missing,
        })
    }

    fn take_strings(
        &mut self,
        of: Strings,
        strings: Vec<Bytes>,
        step: &mut dyn FnMut(),
    ) -> Result<(), Malformed> {
        let state = &mut self.state;
        match of {
            Strings::Connection(client) => {
                let (id, connection) = client.connection(strings, self.vocabulary)?;
                state.pending_bytes += connection.kept_bytes();
                self.last_connection = Some(id);
                match state.connections.insert(id, connection) {
                    None => Ok(()),
                    Some(_) => Err(Malformed("a connection comes twice")),
                }
            }
            Strings::Begun(begun) => {
                let last = self.last_connection;
                let last = last.and_then(|id| Some((id, state.connections.get_mut(&id)?)));
                let (id, client) = last.ok_or(Malformed("what was begun belongs to no client"))?;
                if matches!(begun, Begun::Monitor) {
                    return match state.monitors.insert(id) {
                        true => Ok(()),
                        false => Err(Malformed("a client monitors twice")),
                    };
                }
                state.pending_bytes -= client.kept_bytes();
                if let Begun::Blocked {
                    database,
                    deadline_ms,
                    order,
                    ..
                } = begun
                {
                    if client.blocked.is_some() {
                        return Err(Malformed("a client waits twice"));
                    }
                    let when = (database, deadline_ms, order);
                    let blocked = clients::blocked(when, strings, self.vocabulary, step)?;
                    state.pending_bytes += client.kept_bytes() + blocked.kept_bytes();
                    state.block(id, blocked);
                    return Ok(());
                }
                let subscribers = &mut state.subscribers;
                begun.add_to(client, strings, &mut state.keyspace, (id, subscribers))?;
                state.pending_bytes += client.kept_bytes();
                Ok(())
            }
        }
    }

    fn end(&mut self, server: Server, status: &[u8]) -> Result<(), Malformed> {
        if self.open.is_some() {
            return Err(Malformed("the end of a large value is missing"));
        }
        let state = &mut self.state;
        let found = [
            state.keyspace.len() as u64,
            state.keyspace.used_bytes(),
            state.connections.len() as u64,
            state.pending_bytes as u64,
        ];
        let expected = [
            server.keys,
            server.used_bytes,
            server.connections,
            server.pending_bytes,
        ];
        if found != expected {
            return Err(Malformed("the service's counts do not add up"));
        }
        if !are_in_range(&server, &state.connections) {
            return Err(Malformed(
                "a time in the future, or a count that is too high",
            ));
        }
        state.keyspace.restore_counts(server.now_ms, server.expired);
        state.statistics = server.statistics;
        state.blocked.began = server.blocked_began;
        state.failover = server.failover;
        state.status =
            HostStatus::decode(status).map_err(|_| Malformed("a status of a wrong length"))?;
        self.is_whole = true;
        Ok(())
    }
}

/// Returns whether all times and counters are in the range that a service keeps them in.
fn are_in_range(server: &Server, connections: &Connections) -> bool {
    let Statistics {
        connections_received,
        connections_rejected,
        commands_processed,
    } = server.statistics;
    let counts = [
        server.now_ms,
        server.expired,
        connections_received,
        connections_rejected,
        commands_processed,
    ];
    let times_ms = |client: &Connection| client.opened_ms.max(client.last_input_ms);
    counts.into_iter().all(|count| count <= COUNT_MAX)
        && (connections.values()).all(|client| times_ms(client) <= server.now_ms)
}

/// Converts a string of the checkpoint. A long one keeps the memory that it was joined in.
fn bytes(string: Cow<'_, [u8]>) -> Bytes {
    match string {
        Cow::Borrowed(string) => Bytes::from_slice(string),
        Cow::Owned(string) => Bytes::from_vec(string),
    }
}

#[cfg(test)]
mod tests;
