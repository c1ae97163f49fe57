//! Hearing.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use checkpoint::{Item, Items, Joiner, Malformed, decode};

use super::{Client, Form, Head, Server};
use crate::commands;
use crate::connection::{Connection, Connections, Peer};
use crate::parser::Parser;
use crate::service::{Service, ServiceLimits, Statistics};
use crate::status::HostStatus;
use crate::store::{Bytes, COUNT_MAX, Deadline, End, Hash, Kind, List, Set, Value};

/// A service whose state is being told.
pub struct ServiceRestorer {
    service: Service,
    joiner: Joiner,
    expected: Expected,
    is_whole: bool,
}

/// What the next strings are.
enum Expected {
    /// There is none: a head comes.
    Nothing,
    InsertedKey,
    RemovedKey,
    ValueKey {
        form: Form,
        deadline_ms: Option<NonZeroU64>,
        elements: u64,
    },
    Element(Unfinished),
    Connection {
        client: Box<Client>,
        strings: Vec<Bytes>,
    },
    Status(Server),
}

/// A value of which elements are missing.
struct Unfinished {
    key: Bytes,
    deadline_ms: Option<NonZeroU64>,
    value: Value,
    /// Of a hash, the field whose value comes next.
    field: Option<Bytes>,
    missing: u64,
}

/// Strings of a connection before its arguments: its name, the last command's, the unfinished line.
const STRINGS_BEFORE_ARGUMENTS: u64 = 3;

impl ServiceRestorer {
    /// Of nothing yet.
    pub fn new(limits: ServiceLimits) -> Self {
        Self {
            service: Service::new(limits),
            joiner: Joiner::default(),
            expected: Expected::Nothing,
            is_whole: false,
        }
    }

    /// Takes in what one record tells. `step` is called for each item.
    ///
    /// # Errors
    /// It cannot be what comes next. The restorer is of no use any more.
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

    /// Returns the service, if all of it was told.
    ///
    /// # Errors
    /// Something is missing.
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
            } => {
                if deadline_ms.is_some_and(|deadline_ms| deadline_ms.get() > COUNT_MAX) {
                    return Err(Malformed("a deadline that no time comes to"));
                }
                // There is no empty collection: what loses its last element is gone.
                let can_be = match form {
                    Form::String => elements == 1,
                    Form::Hash { .. } => elements > 0 && elements.is_multiple_of(2),
                    Form::List | Form::Set { .. } => elements > 0,
                };
                if !can_be {
                    return Err(Malformed("a value of so many elements"));
                }
                Expected::ValueKey {
                    form,
                    deadline_ms,
                    elements,
                }
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
            Expected::Nothing => return Err(Malformed("a string that nothing was said about")),
            Expected::InsertedKey => {
                let place = keyspace.locate(&string);
                if place.slot.is_some() {
                    return Err(Malformed("a key that is there comes again"));
                }
                let empty = Value::String(Bytes::new());
                keyspace.put(&place, bytes(string), empty, Deadline::Clear);
                Expected::Nothing
            }
            Expected::RemovedKey => {
                if !keyspace.remove(&string) {
                    return Err(Malformed("a key goes that is not there"));
                }
                keyspace.collect_garbage(step);
                Expected::Nothing
            }
            Expected::ValueKey {
                form,
                deadline_ms,
                elements,
            } => {
                let seed = keyspace.seed();
                let value = match form {
                    Form::String => Value::String(Bytes::new()),
                    Form::List => List::default().into_value(),
                    Form::Hash { is_spread } => Hash::restored(seed, is_spread).into_value(),
                    Form::Set { is_spread } => Set::restored(seed, is_spread).into_value(),
                };
                self.next_element(
                    Unfinished {
                        key: bytes(string),
                        deadline_ms,
                        value,
                        field: None,
                        missing: elements,
                    },
                    step,
                )
            }
            Expected::Element(mut unfinished) => {
                unfinished.push(bytes(string))?;
                self.next_element(unfinished, step)
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

    /// Stores a value that is whole.
    fn next_element(&mut self, unfinished: Unfinished, step: &mut dyn FnMut()) -> Expected {
        if unfinished.missing > 0 {
            return Expected::Element(unfinished);
        }
        let keyspace = &mut self.service.keyspace;
        let place = keyspace.locate(&unfinished.key);
        let deadline = unfinished.deadline_ms.map_or(Deadline::Clear, Deadline::At);
        keyspace.put(&place, unfinished.key, unfinished.value, deadline);
        keyspace.collect_garbage(step);
        Expected::Nothing
    }

    fn connect(&mut self, client: Client, strings: Vec<Bytes>) -> Result<(), Malformed> {
        let mut strings = strings.into_iter();
        let (Some(name), Some(last_command), Some(line)) =
            (strings.next(), strings.next(), strings.next())
        else {
            return Err(Malformed("a connection without its strings"));
        };
        let parser = Parser::restored(client.understood, line.into_vec(), strings.collect())
            .ok_or(Malformed("a request that no stream begins"))?;
        self.service.pending_bytes += parser.pending_bytes();
        let connection = Connection {
            peer: Peer(client.peer),
            opened_ms: client.opened_ms,
            last_input_ms: client.last_input_ms,
            parser,
            name,
            last_command: commands::name_of(&last_command).unwrap_or(Connection::NO_COMMAND),
            no_evict: client.no_evict,
        };
        let before = self
            .service
            .connections
            .insert(client.connection, connection);
        match before {
            None => Ok(()),
            Some(_) => Err(Malformed("a connection is told twice")),
        }
    }

    fn end(&mut self, server: Server, status: &[u8]) -> Result<(), Malformed> {
        let service = &mut self.service;
        let heard = [
            service.keyspace.len() as u64,
            service.keyspace.used_bytes(),
            service.connections.len() as u64,
            service.pending_bytes as u64,
        ];
        let told = [
            server.keys,
            server.used_bytes,
            server.connections,
            server.pending_bytes,
        ];
        if heard != told {
            return Err(Malformed("what was told does not add up"));
        }
        if !can_be(&server, &service.connections) {
            return Err(Malformed("a time that has not come, or a count too high"));
        }
        service
            .keyspace
            .restore_counts(server.now_ms, server.expired);
        service.statistics = server.statistics;
        service.failover = server.failover;
        service.status = HostStatus::decode(status)
            .map_err(|_| Malformed("a status that is not as long as one"))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Unfinished {
    fn push(&mut self, element: Bytes) -> Result<(), Malformed> {
        self.missing -= 1;
        match &mut self.value {
            Value::String(string) => *string = element,
            Value::List(list) => list.push(End::Back, element),
            Value::Hash(hash) => match self.field.take() {
                None => self.field = Some(element),
                Some(field) => {
                    if !hash.set(field, element) {
                        return Err(Malformed("a field is told twice"));
                    }
                }
            },
            Value::Set(set) => {
                if !set.add(element) {
                    return Err(Malformed("a member is told twice"));
                }
            }
        }
        Ok(())
    }
}

/// Returns whether times and counters are within the range in which the service keeps them.
fn can_be(server: &Server, connections: &Connections) -> bool {
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

/// A long string keeps the memory it was joined in.
fn bytes(string: Cow<'_, [u8]>) -> Bytes {
    match string {
        Cow::Borrowed(string) => Bytes::from_slice(string),
        Cow::Owned(string) => Bytes::from_vec(string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use checkpoint::{Sequence, Writer};

    /// Returns what becomes of what `tell` tells.
    fn heard(tell: impl FnOnce(&mut Writer<'_>)) -> Result<Service, Malformed> {
        let (mut records, mut sequence) = (Vec::new(), Sequence::default());
        let mut sink = |payload: &[u8]| records.push(payload.to_vec());
        tell(&mut Writer::new(1, &mut sequence, &mut sink));
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
        heard(|writer| {
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
        let is_heard = |opened_ms, arguments, server: Head| {
            let client = Head::Connection(Client {
                connection: 1,
                peer: [0; 6],
                opened_ms,
                last_input_ms: 0,
                no_evict: false,
                understood: Parser::default().understood(),
                arguments,
            });
            let told = heard(|writer| {
                writer.head(&client);
                (0..3).for_each(|_| writer.string(b""));
                writer.head(&server);
                writer.string(&status);
            });
            told.is_ok()
        };
        assert!(is_heard(5, 0, server(5, COUNT_MAX, 1)));
        assert!(!is_heard(5, u64::MAX, server(5, 0, 1)));
        assert!(!is_heard(6, 0, server(5, 0, 1)));
        assert!(!is_heard(0, 0, server(COUNT_MAX + 1, 0, 1)));
        assert!(!is_heard(0, 0, server(0, u64::MAX, 1)));
    }
}
