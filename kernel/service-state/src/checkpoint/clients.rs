//! The clients in a checkpoint: their connections, and what they have begun.

use alloc::boxed::Box;
use alloc::vec::Vec;

use checkpoint::{Malformed, Writer};
use resp::{Parser, ParserProgress};
use serde::{Deserialize, Serialize};

use super::{Head, Vocabulary};
use crate::blocked::Blocked;
use crate::connection::{Connection, Replies};
use crate::record::ConnectionId;
use crate::store::{Bytes, DATABASES, Keyspace};
use crate::subscriptions::{Subscribers, Topic};
use crate::transaction::Transaction;
use key_commands::Protocol;

/// A connection. Its name follows, then the name of its last command, the incomplete line, and the arguments so far.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) connection: ConnectionId,
    pub(super) peer: [u8; 6],
    pub(super) opened_ms: u64,
    pub(super) last_input_ms: u64,
    pub(super) database: u8,
    pub(super) protocol: Protocol,
    pub(super) no_evict: bool,
    pub(super) is_authenticated: bool,
    pub(super) progress: ParserProgress,
    pub(super) arguments: u64,
}

/// What the client that came last has begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Begun {
    /// A transaction.
    Transaction { is_refused: bool },
    /// A request of its transaction. So many arguments follow.
    Request { arguments: u64 },
    /// It waits. So many arguments of its request follow, and then what it has sent meanwhile.
    Blocked {
        database: u8,
        deadline_ms: Option<u64>,
        order: u64,
        arguments: u64,
    },
    /// It subscribes to a channel or a pattern, which follows.
    Subscription { is_pattern: bool },
    /// It watches a key, which follows.
    Watched { database: u8, is_changed: bool },
    /// It wants not all replies.
    Replies(Replies),
    /// It is shown every command.
    Monitor,
}

/// Number of a connection's strings before its arguments: its name, the name of its last command, the incomplete line.
const STRINGS_BEFORE_ARGUMENTS: u64 = 3;

impl Client {
    /// Returns the number of strings that follow.
    pub(super) fn strings(&self) -> u64 {
        self.arguments.saturating_add(STRINGS_BEFORE_ARGUMENTS)
    }

    /// Makes the connection.
    ///
    /// # Errors
    /// No stream of a client leads to it.
    pub(super) fn connection(
        self,
        strings: Vec<Bytes>,
        vocabulary: Vocabulary,
    ) -> Result<(ConnectionId, Connection), Malformed> {
        let mut strings = strings.into_iter();
        let (Some(name), Some(last_command), Some(line)) =
            (strings.next(), strings.next(), strings.next())
        else {
            return Err(Malformed("a connection without its strings"));
        };
        let parser = Parser::restored(self.progress, line.into_vec(), strings.collect()).ok_or(
            Malformed("an incomplete request that no stream begins with"),
        )?;
        if usize::from(self.database) >= DATABASES {
            return Err(Malformed("a connection with a database that is not there"));
        }
        let connection = Connection {
            opened_ms: self.opened_ms,
            last_input_ms: self.last_input_ms,
            database: self.database.into(),
            protocol: self.protocol,
            parser,
            name,
            last_command: (vocabulary.name_of)(&last_command).unwrap_or(Connection::NO_COMMAND),
            no_evict: self.no_evict,
            ..Connection::new(self.peer, 0, self.is_authenticated)
        };
        Ok((self.connection, connection))
    }
}

/// Makes what a client waits for, of its request and of what it has sent meanwhile.
///
/// # Errors
/// No request lets a client wait like that.
pub(super) fn blocked(
    (database, deadline_ms, order): (u8, Option<u64>, u64),
    mut strings: Vec<Bytes>,
    vocabulary: Vocabulary,
    step: &mut dyn FnMut(),
) -> Result<Blocked, Malformed> {
    let held = strings.pop().unwrap_or_default();
    let mut request = strings.into_boxed_slice();
    let wait = (vocabulary.wait_of)(&mut request, step);
    let wait = wait.filter(|_| usize::from(database) < DATABASES);
    let wait = wait.ok_or(Malformed("a client waits as none can wait"))?;
    let mut blocked = Blocked::new(request, wait, database.into(), deadline_ms, order);
    blocked.held = held.into_vec();
    Ok(blocked)
}

impl Begun {
    /// Returns the number of strings that follow.
    pub(super) fn strings(&self) -> u64 {
        match self {
            Self::Transaction { .. } | Self::Replies(_) | Self::Monitor => 0,
            Self::Request { arguments } => *arguments,
            Self::Blocked { arguments, .. } => arguments.saturating_add(1),
            Self::Subscription { .. } | Self::Watched { .. } => 1,
        }
    }

    /// Adds it to what the client has begun.
    ///
    /// # Errors
    /// A client cannot have begun that.
    pub(super) fn add_to(
        self,
        client: &mut Connection,
        mut strings: Vec<Bytes>,
        keyspace: &mut Keyspace,
        (connection, subscribers): (ConnectionId, &mut Subscribers),
    ) -> Result<(), Malformed> {
        match (self, &mut client.transaction) {
            (Self::Transaction { is_refused }, transaction @ None) => {
                *transaction = Some(Box::new(Transaction::new(is_refused)));
            }
            (Self::Request { .. }, Some(transaction)) if !strings.is_empty() => {
                transaction.push(strings.into_boxed_slice());
            }
            (
                Self::Watched {
                    database,
                    is_changed,
                },
                _,
            ) if usize::from(database) < DATABASES => {
                keyspace.select(database.into());
                let key = strings.pop().unwrap_or_default();
                let mut watched = keyspace.watch(&key);
                if is_changed {
                    watched.has_changed_before();
                }
                client.watches.add(watched);
                keyspace.select(0);
            }
            (Self::Subscription { is_pattern }, _) => {
                let topic = if is_pattern {
                    Topic::Pattern
                } else {
                    Topic::Channel
                };
                let name = strings.pop().unwrap_or_default();
                subscribers.add(connection, &mut client.subscriptions, topic, &name);
            }
            (Self::Replies(replies), _) => client.replies = replies,
            _ => return Err(Malformed("a client has begun what none can begin")),
        }
        Ok(())
    }
}

/// Writes a connection.
pub(super) fn write(
    connection: ConnectionId,
    client: &Connection,
    keyspace: &Keyspace,
    writer: &mut Writer<'_>,
) {
    let parser = &client.parser;
    writer.head(&Head::Connection(Client {
        connection,
        peer: client.peer.0,
        opened_ms: client.opened_ms,
        last_input_ms: client.last_input_ms,
        database: client.database as u8,
        protocol: client.protocol,
        no_evict: client.no_evict,
        is_authenticated: client.is_authenticated,
        progress: parser.progress(),
        arguments: parser.arguments_so_far().len() as u64,
    }));
    writer.string(&client.name);
    writer.string(client.last_command.as_bytes());
    writer.string(parser.line());
    for argument in parser.arguments_so_far() {
        writer.string(argument);
    }
    if let Some(transaction) = &client.transaction {
        let is_refused = transaction.is_refused;
        writer.head(&Head::Begun(Begun::Transaction { is_refused }));
        for request in transaction.requests() {
            let arguments = request.len() as u64;
            writer.head(&Head::Begun(Begun::Request { arguments }));
            request.iter().for_each(|argument| writer.string(argument));
        }
    }
    for (topic, name) in client.subscriptions.iter() {
        let is_pattern = *topic == Topic::Pattern;
        writer.head(&Head::Begun(Begun::Subscription { is_pattern }));
        writer.string(name);
    }
    if let Some(blocked) = &client.blocked {
        writer.head(&Head::Begun(Begun::Blocked {
            database: blocked.database as u8,
            deadline_ms: blocked.deadline_ms,
            order: blocked.order,
            arguments: blocked.request.len() as u64,
        }));
        blocked.request.iter().for_each(|word| writer.string(word));
        writer.string(&blocked.held);
    }
    if client.replies != Replies::All {
        writer.head(&Head::Begun(Begun::Replies(client.replies)));
    }
    for watched in client.watches.all() {
        writer.head(&Head::Begun(Begun::Watched {
            database: watched.database as u8,
            is_changed: keyspace.has_changed(watched),
        }));
        writer.string(&watched.key);
    }
}
