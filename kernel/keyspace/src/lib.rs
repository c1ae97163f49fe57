//! The keyspace of a service: sixteen databases of keys with their values and deadlines, how much memory they take, and
//! what a checkpoint has to write again because it has changed.
//!
//! Every change goes through [`Keyspace`], so that memory, sums, watched keys and a checkpoint that is being written
//! follow it.
//!
//! # Example
//!
//! ```
//! use keyspace::{Bytes, Deadline, Keyspace, Kind};
//!
//! let mut keyspace = Keyspace::new([1, 2]);
//! let key = Bytes::from_slice(b"greeting");
//! let place = keyspace.locate(&key);
//! let watched = keyspace.watch(&key);
//! keyspace.put(&place, key.clone(), Bytes::from_slice(b"hello").into_value(), Deadline::Clear);
//! assert_eq!(keyspace.read::<Bytes>(&key).unwrap().unwrap().as_slice(), b"hello");
//! assert!(keyspace.has_changed(&watched));
//! keyspace.select(1);
//! assert!(keyspace.read::<Bytes>(&key).unwrap().is_none());
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod changes;
mod databases;
mod deadlines;
mod digest;
mod scrub;
mod strings;
mod waits;
mod watches;

pub use changes::{Changes, Move};
pub use databases::DATABASES;
use databases::Database;
pub use deadlines::Deadline;
pub use scrub::{Scrub, ScrubPosition, Scrubbed};
pub use values::{Bytes, End, Hash, Kind, List, Seed, Set, Slot, SortedSet, Value, heap_bytes};

use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU64;
use fingerprint::bind;
use values::sum::deadline_sum;
use values::{COLLECTION_BYTES, Collection};
use waits::Waits;
pub use waits::{WAIT_BYTES, Waiter};
pub use watches::Watched;
use watches::Watches;

/// Shards of the keyspace: a million keys are some 250 in each.
pub const SHARDS: usize = 4096;
/// Memory of a key and its value, in bytes, without what they have on the heap: the entry, its hash, its share of the
/// shard's table and of the room that the shard keeps for growing.
pub const ENTRY_BYTES: u64 = 184;
/// Memory of a key with an empty collection, in bytes, without what the key has on the heap.
pub const NEW_KEY_BYTES: u64 = ENTRY_BYTES + COLLECTION_BYTES;

/// The latest time, in ms, and the largest value of a counter: Redis' numbers are signed.
pub const COUNT_MAX: u64 = i64::MAX as u64;

/// The value of a key is of another type than a command wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// What a key has.
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Deadline, in ms: the key is gone when the time is later.
    pub deadline_ms: Option<NonZeroU64>,
    /// The sum of value and deadline as they were stored.
    sum: u64,
}

impl Entry {
    fn new(value: Value) -> Self {
        Self {
            sum: value.sum(),
            value,
            deadline_ms: None,
        }
    }
}

/// Returns the memory of a key and its value, in bytes.
fn entry_bytes(key: &Bytes, value: &Value) -> u64 {
    ENTRY_BYTES + heap_bytes(key.len()) + value.payload_bytes()
}

/// Where a key is, or would be.
pub struct Place {
    hash: u64,
    /// Where it is, if it is there.
    pub slot: Option<Slot>,
}

/// All databases. Keys are looked up in the selected one.
pub struct Keyspace {
    seed: Seed,
    now_ms: u64,
    databases: [Database; DATABASES],
    selected: usize,
    /// Memory of keys and values in all databases, in bytes.
    used_bytes: u64,
    expired: u64,
    watches: Watches,
    waits: Waits,
    /// Large values that are removed already, until [`collect_garbage`](Self::collect_garbage) frees them.
    garbage: Vec<Value>,
    /// Changes to what is in the checkpoint, while one is written.
    changes: Option<Changes>,
}

impl Keyspace {
    /// Makes empty databases.
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            now_ms: 0,
            databases: core::array::from_fn(|_| Database::new(seed)),
            selected: 0,
            used_bytes: 0,
            expired: 0,
            watches: Watches::default(),
            waits: Waits::default(),
            garbage: Vec::new(),
            changes: None,
        }
    }

    /// Sets the time, to that of the current record. It never goes backwards.
    pub fn set_time(&mut self, time_ms: u64) {
        self.now_ms = self.now_ms.max(time_ms.min(COUNT_MAX));
    }

    /// Returns the time of the current record, in ms.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Returns the memory of keys and values in all databases, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Returns the number of keys removed because they had expired.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Counts expired keys anew.
    pub fn reset_expired(&mut self) {
        self.expired = 0;
    }

    /// Returns the key of the hash function.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns the changes to what is in the checkpoint; `None` if none is being written.
    pub fn changes_mut(&mut self) -> &mut Option<Changes> {
        &mut self.changes
    }

    /// Restores the time and the number of expired keys.
    pub fn restore_counts(&mut self, now_ms: u64, expired: u64) {
        (self.now_ms, self.expired) = (now_ms, expired);
    }

    /// Looks a key up, and removes it if it has expired.
    pub fn locate(&mut self, key: &[u8]) -> Place {
        let hash = self.table().hash(key);
        let mut slot = self.table().find(hash, key);
        if let Some(found) = slot
            && let Some((_, entry)) = self.table().entry(found)
            && self.is_expired(entry)
        {
            self.expired += 1;
            self.remove_at(hash, found);
            slot = None;
        }
        Place { hash, slot }
    }

    /// Looks a key up, and returns what it has. Removes it if it has expired.
    pub fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.locate(key).slot?;
        self.table().entry(slot).map(|(_, entry)| entry)
    }

    /// Returns the value of a key, if it is of the type `T`.
    pub fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => T::of(&entry.value).map(Some).ok_or(WrongType),
        }
    }

    /// Returns the value of a key, if it is of the type `T`. A key that has expired is not removed.
    pub fn peek<T: Kind>(&self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        let value = self.peek_value(key).map(T::of);
        value.map_or(Ok(None), |value| value.map(Some).ok_or(WrongType))
    }

    /// Returns the value of a key. A key that has expired is not removed.
    pub fn peek_value(&self, key: &[u8]) -> Option<&Value> {
        let entry = self.table().get(key);
        let entry = entry.filter(|entry| !self.is_expired(entry));
        entry.map(|entry| &entry.value)
    }

    /// Changes the value of a key, if there is one. A collection that `change` leaves empty is removed.
    pub fn update<T: Collection, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>, WrongType> {
        let place = self.locate(key);
        match place.slot {
            None => Ok(None),
            Some(slot) => self.change(place.hash, slot, change).map(Some),
        }
    }

    /// Changes the value of a key. A missing key is added first, with an empty value.
    pub fn upsert<T: Collection, R>(
        &mut self,
        key: Bytes,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, WrongType> {
        let place = self.locate(&key);
        let slot = match place.slot {
            Some(slot) => slot,
            None => self.insert(place.hash, key, T::empty(self.seed).into_value()),
        };
        self.change(place.hash, slot, change)
    }

    fn change<T: Collection, R>(
        &mut self,
        hash: u64,
        slot: Slot,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, WrongType> {
        let mut is_spent = false;
        let result = self.alter(hash, slot, |value: &mut T| {
            let before = value.sum();
            let result = change(value);
            is_spent = value.is_spent();
            (result, value.sum().wrapping_sub(before))
        })?;
        if is_spent {
            self.remove_at(hash, slot);
        }
        Ok(result)
    }

    /// Changes a value. `change` returns by how much the value's sum has grown, too.
    fn alter<T: Kind, R>(
        &mut self,
        hash: u64,
        slot: Slot,
        change: impl FnOnce(&mut T) -> (R, u64),
    ) -> Result<R, WrongType> {
        let entry = self.databases[self.selected]
            .table
            .value_mut(slot)
            .ok_or(WrongType)?;
        let value = T::of_mut(&mut entry.value).ok_or(WrongType)?;
        let before_bytes = value.payload_bytes();
        let (result, grown) = change(value);
        self.used_bytes = self.used_bytes - before_bytes + value.payload_bytes();
        let before = entry.sum;
        entry.sum = before.wrapping_add(grown);
        let after = entry.sum;
        self.resum(hash, before, after);
        self.note_touched(slot);
        Ok(result)
    }

    /// Follows the change of an entry's sum.
    fn resum(&mut self, hash: u64, before: u64, after: u64) {
        let grown = bind(after, hash).wrapping_sub(bind(before, hash));
        let sum = &mut self.databases[self.selected].sum;
        *sum = sum.wrapping_add(grown);
    }

    /// Stores a value, whatever was there. `place` is what [`locate`](Self::locate) has just returned for `key`.
    pub fn put(&mut self, place: &Place, key: Bytes, value: Value, deadline: Deadline) {
        let slot = match place.slot {
            None => self.insert(place.hash, key, value),
            Some(slot) => {
                self.replace(place.hash, slot, value);
                slot
            }
        };
        match deadline {
            Deadline::Keep => {}
            Deadline::Clear => self.set_deadline_at(place.hash, slot, None),
            Deadline::At(deadline_ms) => {
                self.set_deadline_at(place.hash, slot, Some(deadline_ms));
            }
        }
    }

    /// Removes a key. Returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let place = self.locate(key);
        if let Some(slot) = place.slot {
            self.remove_at(place.hash, slot);
        }
        place.slot.is_some()
    }

    /// Frees the large values that commands have removed or replaced.
    pub fn collect_garbage(&mut self, step: &mut dyn FnMut()) {
        while let Some(value) = self.garbage.pop() {
            value.discard(step);
        }
    }

    fn insert(&mut self, hash: u64, key: Bytes, value: Value) -> Slot {
        self.used_bytes += entry_bytes(&key, &value);
        let entry = Entry::new(value);
        let database = &mut self.databases[self.selected];
        database.sum = database.sum.wrapping_add(bind(entry.sum, hash));
        let slot = database.table.insert_new(hash, key, entry);
        if let Some((key, entry)) = database.table.entry(slot) {
            if let Some(changes) = &mut self.changes {
                changes.inserted(self.selected, slot.shard, key);
            }
            self.watches.changed(self.selected, key);
            self.waits.stored(self.selected, key, &entry.value);
        }
        slot
    }

    fn note_touched(&mut self, slot: Slot) {
        if let Some((key, _)) = self.databases[self.selected].table.entry(slot) {
            if let Some(changes) = &mut self.changes {
                changes.touched(self.selected, slot.shard, key);
            }
            self.watches.changed(self.selected, key);
        }
    }

    fn replace(&mut self, hash: u64, slot: Slot, value: Value) {
        if let Some(entry) = self.databases[self.selected].table.value_mut(slot) {
            self.used_bytes += value.payload_bytes();
            let before = entry.sum;
            // Not from the old value: what is damaged there shall not become part of the sum.
            entry.sum = value.sum().wrapping_add(deadline_sum(entry.deadline_ms));
            let after = entry.sum;
            let old = mem::replace(&mut entry.value, value);
            self.used_bytes -= old.payload_bytes();
            self.resum(hash, before, after);
            self.free_later(old);
            self.note_touched(slot);
            if let Some((key, entry)) = self.databases[self.selected].table.entry(slot) {
                self.waits.stored(self.selected, key, &entry.value);
            }
        }
    }

    fn remove_at(&mut self, hash: u64, slot: Slot) {
        if let Some(value) = self.take_at(hash, slot) {
            self.free_later(value);
        }
    }

    /// Removes an entry, and returns its value.
    fn take_at(&mut self, hash: u64, slot: Slot) -> Option<Value> {
        self.set_deadline_at(hash, slot, None);
        let database = &mut self.databases[self.selected];
        let (key, entry) = database.table.remove_at(slot)?;
        database.sum = database.sum.wrapping_sub(bind(entry.sum, hash));
        self.used_bytes -= entry_bytes(&key, &entry.value);
        if let Some(changes) = &mut self.changes {
            changes.removed(self.selected, slot.shard, &key);
        }
        self.watches.changed(self.selected, &key);
        Some(entry.value)
    }

    fn free_later(&mut self, value: Value) {
        if !value.is_small() {
            self.garbage.push(value);
        }
    }
}
