//! Writing the service's state into a checkpoint.

use alloc::vec::Vec;
use core::num::NonZeroU64;

use checkpoint::Writer;
use values::Table;

use super::clients::Begun;
use super::{Form, Head, Server, clients};
use crate::state::State;
use crate::store::{Bytes, Changes, Entry, Keyspace, Move, SHARDS, Value};

/// A value that takes more memory than this, in bytes, is written in pieces, with the service going on between them.
const LARGE_BYTES: u64 = 16 << 10;
/// Bytes of a piece.
const PIECE_BYTES: usize = 8 << 10;
/// How often a value is begun again because it has changed. Then values are written without a pause.
const RESTARTS_MAX: u32 = 3;

impl State {
    /// Begins a checkpoint. One that was begun before is abandoned.
    pub fn begin_checkpoint(&mut self) {
        *self.keyspace.changes_mut() = Some(Changes::default());
    }

    /// Writes what has changed, and then more of the keyspace, until `budget_bytes` are written. A large value is
    /// written in pieces. Returns whether all keys are written as they are now: then
    /// [`end_checkpoint`](Self::end_checkpoint) may be called before anything else changes.
    pub fn write_keyspace(&mut self, writer: &mut Writer<'_>, budget_bytes: usize) -> bool {
        let Some(mut changes) = self.keyspace.changes_mut().take() else {
            return false;
        };
        let is_all = write_until(&self.keyspace, &mut changes, writer, budget_bytes);
        *self.keyspace.changes_mut() = Some(changes);
        is_all
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
            clients::write(*connection, client, &self.keyspace, writer);
            if self.monitors.contains(connection) {
                writer.head(&Head::Begun(Begun::Monitor));
            }
        }
        writer.head(&Head::Server(Server {
            now_ms: self.keyspace.now_ms(),
            expired: self.keyspace.expired(),
            statistics: self.statistics,
            blocked_began: self.blocked.began,
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

/// Writes until `budget_bytes` are written. Returns whether all keys are.
fn write_until(
    keyspace: &Keyspace,
    changes: &mut Changes,
    writer: &mut Writer<'_>,
    budget_bytes: usize,
) -> bool {
    let is_empty = |database| keyspace.database(database).is_none_or(Table::is_empty);
    write_moves(changes, writer);
    while write_touched(keyspace, changes, writer, budget_bytes) {
        if changes.is_complete(SHARDS, is_empty) {
            return true;
        }
        if writer.written_bytes() >= budget_bytes {
            return false;
        }
        // From here on every change in the shard is noted, as that of the large values that are postponed.
        if let Some((database, shard)) = changes.take_shard(SHARDS) {
            write_shard(keyspace, changes, (database, shard), writer);
        }
    }
    false
}

/// Writes that what follows is about a database, unless that is clear.
fn name_database(changes: &mut Changes, database: usize, writer: &mut Writer<'_>) {
    if changes.named_database != database {
        changes.named_database = database;
        writer.head(&Head::Database(database as u8));
    }
}

/// Writes which keys that are written already came and went.
fn write_moves(changes: &mut Changes, writer: &mut Writer<'_>) {
    if changes
        .telling
        .take_if(|telling| telling.is_stale)
        .is_some()
    {
        changes.restarts += 1;
        writer.head(&Head::Abandon);
    }
    for moved in changes.take_moves() {
        match moved {
            Move::Insert(database, key) => {
                name_database(changes, database, writer);
                write_insert(&key, writer);
            }
            Move::Remove(database, key) => {
                name_database(changes, database, writer);
                writer.head(&Head::Remove);
                writer.string(&key);
            }
            Move::Clear(database) => {
                name_database(changes, database, writer);
                writer.head(&Head::Clear);
            }
            Move::Swap(one, other) => writer.head(&Head::Swap(one as u8, other as u8)),
        }
    }
}

fn write_insert(key: &Bytes, writer: &mut Writer<'_>) {
    writer.head(&Head::Insert);
    writer.string(key);
}

/// Writes the values that have changed, then the large ones among them in pieces. Returns whether it has written all.
fn write_touched(
    keyspace: &Keyspace,
    changes: &mut Changes,
    writer: &mut Writer<'_>,
    budget_bytes: usize,
) -> bool {
    let entry_of = |database, key: &Bytes| keyspace.database(database)?.get(key);
    while let Some((database, key)) = changes.take_touched() {
        match entry_of(database, &key) {
            Some(entry) if is_large(entry) => changes.postpone(database, key),
            Some(entry) => {
                name_database(changes, database, writer);
                write_entry(&key, entry, writer);
            }
            None => {}
        }
    }
    while let Some(mut telling) = changes.telling.take().or_else(|| changes.take_postponed()) {
        let Some(entry) = entry_of(telling.database, &telling.key) else {
            continue;
        };
        if telling.at == (0, 0) {
            name_database(changes, telling.database, writer);
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
    changes.telling.is_none()
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
fn write_shard(
    keyspace: &Keyspace,
    changes: &mut Changes,
    (database, shard): (usize, usize),
    writer: &mut Writer<'_>,
) {
    let table = keyspace.database(database);
    for (key, entry) in table.into_iter().flat_map(|table| table.shard(shard)) {
        name_database(changes, database, writer);
        if is_large(entry) {
            write_insert(key, writer);
            changes.postpone(database, key.clone());
        } else {
            write_entry(key, entry, writer);
        }
    }
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
        Value::SortedSet(set) => Form::SortedSet {
            is_spread: set.is_spread(),
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
