//! Changes to the part of the databases that is in the checkpoint already. They are written once more.

use super::{Bytes, DATABASES};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

/// A change that moves entries. Applied in order, such changes give every shard the same order of entries.
#[derive(Debug)]
pub enum Move {
    /// A key was added to a database, at the end of its shard.
    Insert(usize, Bytes),
    /// A key was removed from a database; the last one of its shard takes its place.
    Remove(usize, Bytes),
    /// Every key of a database was removed.
    Clear(usize),
    /// Two databases were exchanged.
    Swap(usize, usize),
}

/// A large value that is written piece by piece.
#[derive(Debug)]
pub struct Telling {
    /// Its database.
    pub database: usize,
    /// Its key.
    pub key: Bytes,
    /// The string of the value that comes next, and the byte in it.
    pub at: (usize, usize),
    /// Whether the value has changed since its first piece.
    pub is_stale: bool,
}

/// Changes to one database.
#[derive(Debug, Default)]
struct DatabaseChanges {
    /// Shards below this are written. Changes in the others will be written with them.
    written_shards: usize,
    /// Keys whose value or deadline has changed.
    touched: BTreeSet<Bytes>,
    /// Keys whose value is large and not written yet. Some may be gone.
    postponed: BTreeSet<Bytes>,
}

/// Changes since the last ones were written.
#[derive(Debug, Default)]
pub struct Changes {
    databases: [DatabaseChanges; DATABASES],
    moves: Vec<Move>,
    /// The database that was named last in the checkpoint.
    pub named_database: usize,
    /// The value that is being written.
    pub telling: Option<Telling>,
    /// How often a value had to be begun again.
    pub restarts: u32,
}

impl Changes {
    pub(super) fn inserted(&mut self, database: usize, shard: usize, key: &Bytes) {
        let changes = &mut self.databases[database];
        if shard < changes.written_shards {
            self.moves.push(Move::Insert(database, key.clone()));
            changes.touched.insert(key.clone());
        }
    }

    pub(super) fn touched(&mut self, database: usize, shard: usize, key: &Bytes) {
        let changes = &mut self.databases[database];
        if shard < changes.written_shards && !changes.touched.contains(key) {
            changes.touched.insert(key.clone());
        }
        self.spoil(database, Some(key));
    }

    pub(super) fn removed(&mut self, database: usize, shard: usize, key: &Bytes) {
        let changes = &mut self.databases[database];
        if shard < changes.written_shards {
            changes.touched.remove(key);
            changes.postponed.remove(key);
            self.moves.push(Move::Remove(database, key.clone()));
        }
        self.spoil(database, Some(key));
    }

    pub(super) fn cleared(&mut self, database: usize) {
        let changes = &mut self.databases[database];
        changes.touched.clear();
        changes.postponed.clear();
        self.moves.push(Move::Clear(database));
        self.spoil(database, None);
    }

    pub(super) fn swapped(&mut self, one: usize, other: usize) {
        self.databases.swap(one, other);
        self.moves.push(Move::Swap(one, other));
        if let Some(telling) = &mut self.telling
            && [one, other].contains(&telling.database)
        {
            let moved_to = one + other - telling.database;
            let key = telling.key.clone();
            self.databases[moved_to].postponed.insert(key);
            telling.is_stale = true;
        }
    }

    /// Notes that a value changes; `None` stands for all of its database.
    fn spoil(&mut self, database: usize, key: Option<&Bytes>) {
        if let Some(telling) = &mut self.telling
            && telling.database == database
        {
            telling.is_stale |= key.is_none_or(|key| *key == telling.key);
        }
    }

    /// Returns whether all shards are written. A database that `is_empty` counts as written before its first shard is.
    pub fn is_complete(&mut self, shards: usize, is_empty: impl Fn(usize) -> bool) -> bool {
        for (database, changes) in self.databases.iter_mut().enumerate() {
            if changes.written_shards == 0 && is_empty(database) {
                changes.written_shards = shards;
            }
        }
        self.databases.iter().all(|it| it.written_shards == shards)
    }

    /// Takes the next shard that is to be written: its database, and its number there. Every change in it is noted from
    /// here on.
    pub fn take_shard(&mut self, shards: usize) -> Option<(usize, usize)> {
        let mut databases = self.databases.iter_mut().enumerate();
        let (database, changes) = databases.find(|(_, it)| it.written_shards < shards)?;
        changes.written_shards += 1;
        Some((database, changes.written_shards - 1))
    }

    /// Notes that the value of a key is to be written later.
    pub fn postpone(&mut self, database: usize, key: Bytes) {
        self.databases[database].postponed.insert(key);
    }

    /// Removes the next value to be written later, to write it now.
    pub fn take_postponed(&mut self) -> Option<Telling> {
        let mut databases = self.databases.iter_mut().enumerate();
        databases.find_map(|(database, changes)| {
            Some(Telling {
                database,
                key: changes.postponed.pop_first()?,
                at: (0, 0),
                is_stale: false,
            })
        })
    }

    /// Removes and returns the moves to be written.
    pub fn take_moves(&mut self) -> Vec<Move> {
        mem::take(&mut self.moves)
    }

    /// Removes and returns the next key whose value is to be written, with its database.
    pub fn take_touched(&mut self) -> Option<(usize, Bytes)> {
        let mut databases = self.databases.iter_mut().enumerate();
        databases.find_map(|(database, it)| Some((database, it.touched.pop_first()?)))
    }
}
