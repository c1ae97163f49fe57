//! The keys that clients watch, and whether they have changed since.

use super::{Bytes, Keyspace};
use alloc::collections::BTreeMap;
use resp::heap_bytes;

/// A key that a client watches, and how often it had changed when the client began.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its database.
    pub database: usize,
    /// The key.
    pub key: Bytes,
    changes: u64,
}

impl Watched {
    /// Notes that it had changed before it was restored.
    pub fn has_changed_before(&mut self) {
        self.changes = self.changes.wrapping_sub(1);
    }

    /// Returns the memory that a watched key takes, in bytes: here, and in the index of watched keys.
    pub fn kept_bytes(&self) -> usize {
        2 * size_of::<Self>() + 80 + 2 * heap_bytes(self.key.len()) as usize
    }
}

/// The watched keys of each database: by how many clients, and how often they have changed.
#[derive(Debug, Default)]
pub(super) struct Watches {
    keys: BTreeMap<(usize, Bytes), (u32, u64)>,
}

impl Watches {
    /// Notes that a key has changed.
    pub(super) fn changed(&mut self, database: usize, key: &Bytes) {
        if !self.keys.is_empty()
            && let Some((_, changes)) = self.keys.get_mut(&(database, key.clone()))
        {
            *changes += 1;
        }
    }

    /// Notes that those keys of a database change that `is_changed` says so of.
    pub(super) fn change_where(&mut self, database: usize, is_changed: impl Fn(&Bytes) -> bool) {
        let from = (database, Bytes::new());
        for ((_, key), (_, changes)) in self.keys.range_mut(from..(database + 1, Bytes::new())) {
            *changes += u64::from(is_changed(key));
        }
    }
}

impl Keyspace {
    /// Begins to watch a key of the selected database.
    pub fn watch(&mut self, key: &[u8]) -> Watched {
        self.locate(key);
        let (database, key) = (self.selected, Bytes::from_slice(key));
        let watched = self.watches.keys.entry((database, key.clone()));
        let (clients, changes) = watched.or_default();
        *clients += 1;
        Watched {
            database,
            key,
            changes: *changes,
        }
    }

    /// Ends what [`watch`](Self::watch) began.
    pub fn unwatch(&mut self, watched: Watched) {
        let index = (watched.database, watched.key);
        if let Some((clients, _)) = self.watches.keys.get_mut(&index) {
            *clients -= 1;
            if *clients == 0 {
                self.watches.keys.remove(&index);
            }
        }
    }

    /// Returns whether a watched key has changed. One that has expired since has changed, too.
    pub fn has_changed(&self, watched: &Watched) -> bool {
        let entry = self.database(watched.database);
        let entry = entry.and_then(|table| table.get(&watched.key));
        let index = (watched.database, watched.key.clone());
        let changes = self.watches.keys.get(&index).map(|(_, changes)| *changes);
        changes != Some(watched.changes) || entry.is_some_and(|entry| self.is_expired(entry))
    }
}
