//! Writing the service's state into a checkpoint.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use checkpoint::Writer;

use super::{Client, Form, Head, Server};
use crate::connection::Connection;
use crate::record::ConnectionId;
use crate::service::Service;
use crate::store::{Bytes, Changes, Entry, Keyspace, Move, SHARDS, Value};

/// A value that takes more memory than this, in bytes, is written in pieces, with the service going on between them.
const LARGE_BYTES: u64 = 16 << 10;
/// Bytes of a piece.
const PIECE_BYTES: usize = 8 << 10;
/// How often a value is begun again because it has changed. Then values are written without a pause.
const RESTARTS_MAX: u32 = 3;

impl Service {
    /// Begins a checkpoint. One that was begun before is abandoned.
    pub fn begin_checkpoint(&mut self) {
        *self.keyspace.changes_mut() = Some(Changes::default());
    }

    /// Writes what has changed, and then more of the keyspace, until `budget_bytes` are written. A large value is
    /// written in pieces. Returns whether all keys are written as they are now: then
    /// [`end_checkpoint`](Self::end_checkpoint) may be called before anything else changes.
    pub fn write_keyspace(&mut self, writer: &mut Writer<'_>, budget_bytes: usize) -> bool {
        write_moves(&mut self.keyspace, writer);
        while write_touched(&mut self.keyspace, writer, budget_bytes) {
            let Some(changes) = self.keyspace.changes_mut() else {
                return false;
            };
            let shard = changes.written_shards;
            if shard == SHARDS {
                return true;
            }
            if writer.written_bytes() >= budget_bytes {
                return false;
            }
            // From here on every change in the shard is noted, as that of the large values that are postponed.
            changes.written_shards += 1;
            write_shard(&mut self.keyspace, shard, writer);
        }
        false
    }

    /// Returns whether [`write_keyspace`](Self::write_keyspace) is to be called again before anything changes: a value
    /// that changed in all earlier attempts would never be written otherwise.
    pub fn must_write_more(&mut self) -> bool {
        let changes = self.keyspace.changes_mut().as_ref();
        changes.is_some_and(|it| it.telling.is_some() && it.restarts >= RESTARTS_MAX)
    }

    /// Writes the rest.
    pub fn end_checkpoint(&mut self, writer: &mut Writer<'_>) {
        *self.keyspace.changes_mut() = None;
        for (connection, client) in &self.connections {
            write_connection(*connection, client, writer);
        }
        writer.head(&Head::Server(Server {
            now_ms: self.keyspace.now_ms(),
            expired: self.keyspace.expired(),
            statistics: self.statistics,
            failover: self.failover,
            keys: self.keyspace.len() as u64,
            used_bytes: self.keyspace.used_bytes(),
            connections: self.connections.len() as u64,
            pending_bytes: self.pending_bytes as u64,
        }));
        let mut status = Vec::new();
        self.status.encode(&mut status);
        writer.string(&status);
    }

    /// Abandons the checkpoint.
    pub fn abandon_checkpoint(&mut self) {
        *self.keyspace.changes_mut() = None;
    }
}

/// Writes which keys that are written already came and went.
fn write_moves(keyspace: &mut Keyspace, writer: &mut Writer<'_>) {
    let Some(changes) = keyspace.changes_mut() else {
        return;
    };
    if changes
        .telling
        .as_ref()
        .is_some_and(|telling| telling.is_stale)
    {
        changes.telling = None;
        changes.restarts += 1;
        writer.head(&Head::Abandon);
    }
    for moved in changes.take_moves() {
        match moved {
            Move::Insert(key) => write_insert(&key, writer),
            Move::Remove(key) => {
                writer.head(&Head::Remove);
                writer.string(&key);
            }
            Move::Clear => writer.head(&Head::Clear),
        }
    }
}

fn write_insert(key: &Bytes, writer: &mut Writer<'_>) {
    writer.head(&Head::Insert);
    writer.string(key);
}

/// Writes the values that have changed, then the large ones among them in pieces. Returns whether it has written all.
fn write_touched(keyspace: &mut Keyspace, writer: &mut Writer<'_>, budget_bytes: usize) -> bool {
    let Some(mut changes) = keyspace.changes_mut().take() else {
        return true;
    };
    let table = keyspace.table();
    while let Some(key) = changes.take_touched() {
        match table.get(&key) {
            Some(entry) if is_large(entry) => changes.postpone(key),
            Some(entry) => write_entry(&key, entry, writer),
            None => {}
        }
    }
    while let Some(mut telling) = changes.telling.take().or_else(|| changes.take_postponed()) {
        let Some(entry) = table.get(&telling.key) else {
            continue;
        };
        if telling.at == (0, 0) {
            let (form, deadline_ms, elements) = described(entry);
            writer.head(&Head::Begin {
                form,
                deadline_ms,
                elements,
            });
            writer.string(&telling.key);
        }
        if !write_pieces(&entry.value, &mut telling.at, writer, budget_bytes) {
            changes.telling = Some(telling);
            break;
        }
    }
    let is_all = changes.telling.is_none();
    *keyspace.changes_mut() = Some(changes);
    is_all
}

/// Writes a piece of a large value, and more until `budget_bytes` are written. Returns whether that is all.
fn write_pieces(
    value: &Value,
    at: &mut (usize, usize),
    writer: &mut Writer<'_>,
    budget_bytes: usize,
) -> bool {
    while at.0 < value.string_count() {
        let (mut piece, mut piece_bytes, mut open_bytes) = (Vec::new(), 0, None);
        let continues = at.1 > 0;
        for string in value.strings(at.0) {
            let rest = &string[at.1..];
            let part = &rest[..rest.len().min(PIECE_BYTES - piece_bytes)];
            piece.push(part);
            // Short strings take room, too.
            piece_bytes = PIECE_BYTES.min(piece_bytes + part.len() + 1);
            if part.len() < rest.len() {
                at.1 += part.len();
                open_bytes = Some(string.len() as u64);
                break;
            }
            *at = (at.0 + 1, 0);
            if piece_bytes == PIECE_BYTES {
                break;
            }
        }
        let strings = piece.len() as u64;
        writer.head(&Head::More {
            strings,
            continues,
            open_bytes,
        });
        piece.into_iter().for_each(|part| writer.string(part));
        if writer.written_bytes() >= budget_bytes {
            break;
        }
    }
    at.0 == value.string_count()
}

/// Writes the entries of a shard. Of a large value only the key, which holds its place.
fn write_shard(keyspace: &mut Keyspace, shard: usize, writer: &mut Writer<'_>) {
    let Some(mut changes) = keyspace.changes_mut().take() else {
        return;
    };
    for (key, entry) in keyspace.table().shard(shard) {
        if is_large(entry) {
            write_insert(key, writer);
            changes.postpone(key.clone());
        } else {
            write_entry(key, entry, writer);
        }
    }
    *keyspace.changes_mut() = Some(changes);
}

fn is_large(entry: &Entry) -> bool {
    entry.value.payload_bytes() > LARGE_BYTES
}

/// Returns what the head of a value says.
fn described(entry: &Entry) -> (Form, Option<NonZeroU64>, u64) {
    let form = match &entry.value {
        Value::String(_) => Form::String,
        Value::List(_) => Form::List,
        Value::Hash(hash) => Form::Hash {
            is_spread: hash.is_spread(),
        },
        Value::Set(set) => Form::Set {
            is_spread: set.is_spread(),
        },
    };
    (form, entry.deadline_ms, entry.value.string_count() as u64)
}

fn write_entry(key: &Bytes, entry: &Entry, writer: &mut Writer<'_>) {
    let (form, deadline_ms, elements) = described(entry);
    writer.head(&Head::Value {
        form,
        deadline_ms,
        elements,
    });
    writer.string(key);
    match &entry.value {
        Value::String(string) => writer.string(string),
        value => value.strings(0).for_each(|string| writer.string(string)),
    }
}

fn write_connection(connection: ConnectionId, client: &Connection, writer: &mut Writer<'_>) {
    let parser = &client.parser;
    writer.head(&Head::Connection(Client {
        connection,
        peer: client.peer.0,
        opened_ms: client.opened_ms,
        last_input_ms: client.last_input_ms,
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
}
