//! Restoring the service's state from a checkpoint.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use checkpoint::{Item, Items, Joiner, Malformed, decode};

use super::value::{OpenValue, PartialValue, Piece, ValueHead};
use super::{Client, Head, Server};
use crate::commands;
use crate::connection::{Connection, Connections, Peer};
use crate::limits::ServiceLimits;
use crate::service::Service;
use crate::statistics::Statistics;
use crate::status::HostStatus;
use crate::store::{Bytes, COUNT_MAX, Deadline, Value};
use resp::Parser;

/// Restores a service from a checkpoint.
pub struct ServiceRestorer {
    service: Service,
    joiner: Joiner,
    expected: Expected,
    /// A large value that was begun.
    open: Option<OpenValue>,
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
    Connection {
        client: Box<Client>,
        strings: Vec<Bytes>,
    },
    Status(Server),
}

/// Number of a connection's strings before its arguments: its name, the name of its last command, the incomplete line.
const STRINGS_BEFORE_ARGUMENTS: u64 = 3;

impl ServiceRestorer {
    /// Begins, with an empty service.
    pub fn new(limits: ServiceLimits) -> Self {
        Self {
            service: Service::new(limits),
            joiner: Joiner::default(),
            expected: Expected::Nothing,
            open: None,
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

    /// Returns the service.
    ///
    /// # Errors
    /// The end of the service's state is missing.
    pub fn finish(self) -> Result<Service, Malformed> {
        if self.is_whole {
            Ok(self.service)
        } else {
            Err(Malformed("the service's end is missing"))
        }
    }

    fn head(&mut self, head: Head, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        if !matches!(self.expected, Expected::Nothing) || self.joiner.is_amid() {
            return Err(Malformed("a string of the service is missing"));
        }
        self.expected = match head {
            Head::Insert => Expected::InsertedKey,
            Head::Remove => Expected::RemovedKey,
            Head::Clear => {
                self.service.keyspace.clear(step);
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
            Head::Connection(client) => Expected::Connection {
                client: Box::new(client),
                strings: Vec::new(),
            },
            Head::Server(server) => Expected::Status(server),
        };
        Ok(())
    }

    fn string(&mut self, string: Cow<'_, [u8]>, step: &mut dyn FnMut()) -> Result<(), Malformed> {
        let keyspace = &mut self.service.keyspace;
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
            Expected::ValueKey(head) => {
                Expected::Element(head.begin(bytes(string), keyspace.seed()))
            }
            Expected::OpenKey(head) => {
                self.open = Some(OpenValue::new(head.begin(bytes(string), keyspace.seed())));
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
            Expected::Connection {
                client,
                mut strings,
            } => {
                strings.push(bytes(string));
                let arguments = (strings.len() as u64).checked_sub(STRINGS_BEFORE_ARGUMENTS);
                if arguments == Some(client.arguments) {
                    self.connect(*client, strings)?;
                    Expected::Nothing
                } else {
                    Expected::Connection { client, strings }
                }
            }
            Expected::Status(server) => {
                self.end(server, &string)?;
                Expected::Nothing
            }
        };
        Ok(())
    }

    fn connect(&mut self, client: Client, strings: Vec<Bytes>) -> Result<(), Malformed> {
        let mut strings = strings.into_iter();
        let (Some(name), Some(last_command), Some(line)) =
            (strings.next(), strings.next(), strings.next())
        else {
            return Err(Malformed("a connection without its strings"));
        };
        let parser = Parser::restored(client.progress, line.into_vec(), strings.collect()).ok_or(
            Malformed("an incomplete request that no stream begins with"),
        )?;
        let connection = Connection {
            peer: Peer(client.peer),
            opened_ms: client.opened_ms,
            last_input_ms: client.last_input_ms,
            parser,
            name,
            last_command: commands::name_of(&last_command).unwrap_or(Connection::NO_COMMAND),
            no_evict: client.no_evict,
            is_authenticated: client.is_authenticated,
        };
        self.service.pending_bytes += connection.kept_bytes();
        let before = self
            .service
            .connections
            .insert(client.connection, connection);
        match before {
            None => Ok(()),
            Some(_) => Err(Malformed("a connection comes twice")),
        }
    }

    fn end(&mut self, server: Server, status: &[u8]) -> Result<(), Malformed> {
        if self.open.is_some() {
            return Err(Malformed("the end of a large value is missing"));
        }
        let service = &mut self.service;
        let found = [
            service.keyspace.len() as u64,
            service.keyspace.used_bytes(),
            service.connections.len() as u64,
            service.pending_bytes as u64,
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
        if !are_in_range(&server, &service.connections) {
            return Err(Malformed(
                "a time in the future, or a count that is too high",
            ));
        }
        service
            .keyspace
            .restore_counts(server.now_ms, server.expired);
        service.statistics = server.statistics;
        service.failover = server.failover;
        service.status =
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
mod tests {
    use super::super::Form;
    use super::*;
    use checkpoint::{Sequence, Writer};
    use core::num::NonZeroU64;

    /// Restores what `write` writes.
    fn restored(write: impl FnOnce(&mut Writer<'_>)) -> Result<Service, Malformed> {
        let (mut records, mut sequence) = (Vec::new(), Sequence::default());
        let mut sink = |payload: &[u8]| records.push(payload.to_vec());
        write(&mut Writer::new(1, &mut sequence, &mut sink));
        let mut restorer = ServiceRestorer::new(ServiceLimits::default());
        let mut sequence = Sequence::default();
        for record in &records {
            restorer.restore(Items::of(record, &mut sequence)?.1, &mut || ())?;
        }
        restorer.finish()
    }

    fn value(form: Form, deadline_ms: u64, strings: &[&[u8]]) -> Result<Service, Malformed> {
        let head = Head::Value {
            form,
            deadline_ms: NonZeroU64::new(deadline_ms),
            elements: strings.len() as u64,
        };
        restored(|writer| {
            writer.head(&head);
            writer.string(b"key");
            strings.iter().for_each(|string| writer.string(string));
        })
    }

    #[test]
    fn a_value_that_no_command_makes_is_refused() {
        let missing = Malformed("the service's end is missing");
        let error = |form, deadline_ms, strings| value(form, deadline_ms, strings).err();
        assert_eq!(error(Form::List, COUNT_MAX, &[b"a"]), Some(missing));
        assert_ne!(error(Form::List, COUNT_MAX + 1, &[b"a"]), Some(missing));
        let is_spread = false;
        for form in [
            Form::List,
            Form::Set { is_spread },
            Form::Hash { is_spread },
        ] {
            assert_ne!(error(form, 0, &[]), Some(missing));
        }
        assert_ne!(error(Form::Hash { is_spread }, 0, &[b"f"]), Some(missing));
        assert_ne!(error(Form::String, 0, &[b"a", b"b"]), Some(missing));
    }

    fn server(now_ms: u64, commands_processed: u64, connections: u64) -> Head {
        Head::Server(Server {
            now_ms,
            expired: 0,
            statistics: Statistics {
                commands_processed,
                ..Statistics::default()
            },
            failover: None,
            keys: 0,
            used_bytes: 0,
            connections,
            pending_bytes: 0,
        })
    }

    #[test]
    fn times_and_counts_that_cannot_be_are_refused() {
        let mut status = Vec::new();
        HostStatus::default().encode(&mut status);
        let is_restored = |opened_ms, arguments, server: Head| {
            let client = Head::Connection(Client {
                connection: 1,
                peer: [0; 6],
                opened_ms,
                last_input_ms: 0,
                no_evict: false,
                is_authenticated: true,
                progress: Parser::default().progress(),
                arguments,
            });
            let result = restored(|writer| {
                writer.head(&client);
                (0..3).for_each(|_| writer.string(b""));
                writer.head(&server);
                writer.string(&status);
            });
            result.is_ok()
        };
        assert!(is_restored(5, 0, server(5, COUNT_MAX, 1)));
        assert!(!is_restored(5, u64::MAX, server(5, 0, 1)));
        assert!(!is_restored(6, 0, server(5, 0, 1)));
        assert!(!is_restored(0, 0, server(COUNT_MAX + 1, 0, 1)));
        assert!(!is_restored(0, 0, server(0, u64::MAX, 1)));
    }
}
