//! The sixteen databases: the selected one, and what concerns a whole database.

use super::deadlines::deadline_bytes;
use super::{Bytes, Deadline, Entry, Keyspace, Place, SHARDS, Seed, Value, entry_bytes};
use alloc::collections::BTreeSet;
use core::mem;
use core::num::NonZeroU64;
use fingerprint::bind;
use values::Table;

/// Number of databases, as many as Redis has by default.
pub const DATABASES: usize = 16;

/// A database.
pub(super) struct Database {
    pub(super) table: Table<Entry>,
    /// Every deadline with its key, the earliest first.
    pub(super) deadlines: BTreeSet<(NonZeroU64, Bytes)>,
    /// The sum of all entries, each bound to its key.
    pub(super) sum: u64,
}

impl Database {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            table: Table::with_shards(seed, SHARDS),
            deadlines: BTreeSet::new(),
            sum: 0,
        }
    }
}

/// Returns the sum of all databases, of which each has its place.
pub(super) fn sum_of_all(sums: impl Iterator<Item = u64>) -> u64 {
    let bound = (0..).zip(sums).map(|(database, sum)| bind(sum, database));
    bound.fold(0, u64::wrapping_add)
}

impl Keyspace {
    /// Selects the database in which keys are looked up.
    pub fn select(&mut self, database: usize) {
        self.selected = database.min(DATABASES - 1);
    }

    /// Returns the number of the selected database.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Returns the selected database.
    pub fn table(&self) -> &Table<Entry> {
        &self.databases[self.selected].table
    }

    /// Returns a database.
    pub fn database(&self, database: usize) -> Option<&Table<Entry>> {
        self.databases.get(database).map(|it| &it.table)
    }

    /// Returns all databases, in the order of their numbers.
    pub fn tables(&self) -> impl Iterator<Item = &Table<Entry>> {
        self.databases.iter().map(|database| &database.table)
    }

    /// Returns the number of keys in all databases.
    pub fn len(&self) -> usize {
        self.tables().map(Table::len).sum()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the sum of all entries, each bound to its key and its database.
    pub fn sum(&self) -> u64 {
        sum_of_all(self.databases.iter().map(|database| database.sum))
    }

    /// Returns the number of keys of a database that have a deadline.
    pub fn deadlines_in(&self, database: usize) -> usize {
        self.databases
            .get(database)
            .map_or(0, |it| it.deadlines.len())
    }

    /// Returns the number of keys that have a deadline, in all databases.
    pub fn deadline_count(&self) -> usize {
        self.databases.iter().map(|it| it.deadlines.len()).sum()
    }

    /// Removes everything from the selected database.
    pub fn clear(&mut self, step: &mut dyn FnMut()) {
        if self.table().is_empty() {
            return;
        }
        self.touch_watched(self.selected, None);
        let database = Database::new(self.seed);
        let database = mem::replace(&mut self.databases[self.selected], database);
        for (key, entry) in database.table.into_entries() {
            step();
            self.used_bytes -= entry_bytes(&key, &entry.value);
            entry.value.discard(step);
        }
        for (_, key) in database.deadlines {
            step();
            self.used_bytes -= deadline_bytes(&key);
        }
        if let Some(changes) = &mut self.changes {
            changes.cleared(self.selected);
        }
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        if one == other {
            return;
        }
        self.touch_watched(one, Some(other));
        self.touch_watched(other, Some(one));
        self.databases.swap(one, other);
        self.waits.swapped(one);
        self.waits.swapped(other);
        if let Some(changes) = &mut self.changes {
            changes.swapped(one, other);
        }
    }

    /// Notes for who watches a key of a database that it changes, if it is there or in the database that comes in its
    /// place.
    fn touch_watched(&mut self, database: usize, replaced_by: Option<usize>) {
        let mut watches = mem::take(&mut self.watches);
        watches.change_where(database, |key| {
            [Some(database), replaced_by]
                .into_iter()
                .flatten()
                .any(|number| {
                    let entry = self.databases[number].table.get(key);
                    entry.is_some_and(|entry| !self.is_expired(entry))
                })
        });
        self.watches = watches;
    }

    /// Moves a key of the selected database to another one, in which it is not. Returns false if it is not here.
    pub fn move_to(&mut self, key: &[u8], database: usize) -> bool {
        let place = self.locate(key);
        let Some((value, deadline_ms)) = self.take(&place) else {
            return false;
        };
        let from = mem::replace(&mut self.selected, database);
        self.store(key, value, deadline_ms);
        self.selected = from;
        true
    }

    /// Removes a key, and returns its value and deadline.
    pub fn take(&mut self, place: &Place) -> Option<(Value, Option<NonZeroU64>)> {
        let slot = place.slot?;
        let deadline_ms = self.table().entry(slot)?.1.deadline_ms;
        let value = self.take_at(place.hash, slot)?;
        Some((value, deadline_ms))
    }

    /// Stores a value with a deadline in the selected database, whatever was there.
    pub fn store(&mut self, key: &[u8], value: Value, deadline_ms: Option<NonZeroU64>) {
        let place = self.locate(key);
        let deadline = deadline_ms.map_or(Deadline::Clear, Deadline::At);
        self.put(&place, Bytes::from_slice(key), value, deadline);
    }
}
