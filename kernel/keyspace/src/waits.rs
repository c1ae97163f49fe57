//! The keys that blocked clients wait for, and which of them may have got what these wait for.

use super::{Bytes, Keyspace, Value};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::mem;

/// Who waits: first by when it began, then by its number.
pub type Waiter = (u64, u64);

/// The awaited keys of each database.
#[derive(Debug, Default)]
pub(super) struct Waits {
    keys: BTreeMap<(usize, Bytes), BTreeSet<Waiter>>,
    /// Those that may have got something since they were asked for last, in that order.
    ready: Vec<(usize, Bytes)>,
    /// The same, to be looked up.
    is_ready: BTreeSet<(usize, Bytes)>,
}

/// Memory of an awaited key beside its name, in bytes.
pub const WAIT_BYTES: usize = 160;

impl Waits {
    /// Notes that a key was added or replaced.
    pub(super) fn stored(&mut self, database: usize, key: &Bytes, value: &Value) {
        if self.keys.is_empty() || !matches!(value, Value::List(_) | Value::SortedSet(_)) {
            return;
        }
        let key = (database, key.clone());
        if self.keys.contains_key(&key) && self.is_ready.insert(key.clone()) {
            self.ready.push(key);
        }
    }

    /// Notes that another database came in the place of this one.
    pub(super) fn swapped(&mut self, database: usize) {
        let from = (database, Bytes::new());
        for (key, _) in self.keys.range(from..(database + 1, Bytes::new())) {
            if self.is_ready.insert(key.clone()) {
                self.ready.push(key.clone());
            }
        }
    }
}

impl Keyspace {
    /// Begins to wait for a key of a database.
    pub fn begin_wait(&mut self, database: usize, key: &Bytes, waiter: Waiter) {
        let waiters = self.waits.keys.entry((database, key.clone()));
        waiters.or_default().insert(waiter);
    }

    /// Ends what [`begin_wait`](Self::begin_wait) began.
    pub fn end_wait(&mut self, database: usize, key: &Bytes, waiter: Waiter) {
        let key = (database, key.clone());
        if let Some(waiters) = self.waits.keys.get_mut(&key) {
            waiters.remove(&waiter);
            if waiters.is_empty() {
                self.waits.keys.remove(&key);
            }
        }
    }

    /// Returns who waits for a key longest, of those behind `after`.
    pub fn next_waiter(
        &self,
        database: usize,
        key: &Bytes,
        after: Option<Waiter>,
    ) -> Option<Waiter> {
        let waiters = self.waits.keys.get(&(database, key.clone()))?;
        let from = after.map_or((0, 0), |(order, waiter)| (order, waiter + 1));
        waiters.range(from..).next().copied()
    }

    /// Takes the awaited keys that may have got something, with their databases, in the order in which they got it.
    pub fn take_ready(&mut self) -> Vec<(usize, Bytes)> {
        self.waits.is_ready.clear();
        mem::take(&mut self.waits.ready)
    }
}
