//! Writing the service's state into a checkpoint.

use alloc::vec::Vec;

use checkpoint::Writer;

use super::{Client, Form, Head, Server};
use crate::connection::Connection;
use crate::record::ConnectionId;
use crate::service::Service;
use crate::store::{Bytes, Changes, Entry, Keyspace, Move, SHARDS, Value};

impl Service {
    /// Begins a checkpoint. One that was begun before is abandoned.
    pub fn begin_checkpoint(&mut self) {
        *self.keyspace.changes_mut() = Some(Changes::default());
    }

    /// Writes what has changed, and then more of the keyspace, until `budget_bytes` are written. Returns whether all
    /// keys are written as they are now: then [`end_checkpoint`](Self::end_checkpoint) may be called before anything
    /// else changes.
    pub fn write_keyspace(&mut self, writer: &mut Writer<'_>, budget_bytes: usize) -> bool {
        write_changes(&mut self.keyspace, writer);
        let Some(changes) = self.keyspace.changes_mut() else {
            return false;
        };
        let mut shard = changes.written_shards;
        while shard < SHARDS && writer.written_bytes() < budget_bytes {
            for (key, entry) in self.keyspace.table().shard(shard) {
                write_entry(key, entry, writer);
            }
            shard += 1;
        }
        if let Some(changes) = self.keyspace.changes_mut() {
            changes.written_shards = shard;
        }
        shard == SHARDS
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

/// Writes the changes to keys that are written already.
fn write_changes(keyspace: &mut Keyspace, writer: &mut Writer<'_>) {
    let Some(changes) = keyspace.changes_mut() else {
        return;
    };
    let (moves, touched) = changes.take();
    for moved in moves {
        match moved {
            Move::Insert(key) => {
                writer.head(&Head::Insert);
                writer.string(&key);
            }
            Move::Remove(key) => {
                writer.head(&Head::Remove);
                writer.string(&key);
            }
            Move::Clear => writer.head(&Head::Clear),
        }
    }
    let table = keyspace.table();
    for key in touched {
        if let Some(entry) = table.get(&key) {
            write_entry(&key, entry, writer);
        }
    }
}

fn write_entry(key: &Bytes, entry: &Entry, writer: &mut Writer<'_>) {
    let (form, elements) = match &entry.value {
        Value::String(_) => (Form::String, 1),
        Value::List(list) => (Form::List, list.len()),
        Value::Hash(hash) => {
            let is_spread = hash.is_spread();
            (Form::Hash { is_spread }, 2 * hash.len())
        }
        Value::Set(set) => {
            let is_spread = set.is_spread();
            (Form::Set { is_spread }, set.len())
        }
    };
    writer.head(&Head::Value {
        form,
        deadline_ms: entry.deadline_ms,
        elements: elements as u64,
    });
    writer.string(key);
    match &entry.value {
        Value::String(string) => writer.string(string),
        Value::List(list) => list.iter().for_each(|element| writer.string(element)),
        Value::Hash(hash) => {
            for (field, value) in hash.iter() {
                writer.string(field);
                writer.string(value);
            }
        }
        Value::Set(set) => set.iter().for_each(|member| writer.string(member)),
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
