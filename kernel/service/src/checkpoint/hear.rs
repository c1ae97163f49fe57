//! Hearing.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use checkpoint::{Item, Items, Joiner, Malformed, decode};

use super::{Client, Form, Head, Server};
use crate::commands;
use crate::connection::{Connection, Peer};
use crate::parser::Parser;
use crate::service::{Limits, Service};
use crate::status::HostStatus;
use crate::store::{Bytes, Deadline, End, Hash, Kind, List, Set, Value};

/// A service whose state is being told.
pub struct Restoration {
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

impl Restoration {
    /// Of nothing yet.
    pub fn new(limits: Limits) -> Self {
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
    /// It cannot be what comes next. The restoration is of no use any more.
    pub fn hear(&mut self, items: Items<'_>, step: &mut dyn FnMut()) -> Result<(), Malformed> {
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

    /// The service, if all of it was told.
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
            } => Expected::ValueKey {
                form,
                deadline_ms,
                elements,
            },
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
                if strings.len() as u64 == STRINGS_BEFORE_ARGUMENTS + client.arguments {
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
        let parser = Parser::restored(client.understood, line.into_vec(), strings.collect());
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

/// A long string keeps the memory it was joined in.
fn bytes(string: Cow<'_, [u8]>) -> Bytes {
    match string {
        Cow::Borrowed(string) => Bytes::from_slice(string),
        Cow::Owned(string) => Bytes::from_vec(string),
    }
}
