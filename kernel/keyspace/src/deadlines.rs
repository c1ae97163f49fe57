//! When keys expire.

use super::{Bytes, DATABASES, Entry, Keyspace, Place, Slot, heap_bytes};
use core::mem;
use core::num::NonZeroU64;
use values::sum::deadline_sum;

/// Memory of a deadline, in bytes, without the copy of a long key.
const DEADLINE_BYTES: u64 = 48;

/// Returns the memory of the deadline of a key, in bytes.
pub(super) fn deadline_bytes(key: &Bytes) -> u64 {
    DEADLINE_BYTES + heap_bytes(key.len())
}

/// What happens to a key's deadline when its value is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// It is removed.
    Clear,
    /// It stays.
    Keep,
    /// It is set, in ms.
    At(NonZeroU64),
}

impl Keyspace {
    /// Returns whether an entry's deadline is over.
    pub fn is_expired(&self, entry: &Entry) -> bool {
        entry
            .deadline_ms
            .is_some_and(|deadline_ms| self.now_ms > deadline_ms.get())
    }

    /// Sets the deadline of a key that is there.
    pub fn set_deadline(&mut self, place: &Place, deadline_ms: Option<NonZeroU64>) {
        if let Some(slot) = place.slot {
            self.set_deadline_at(place.hash, slot, deadline_ms);
        }
    }

    pub(super) fn set_deadline_at(
        &mut self,
        hash: u64,
        slot: Slot,
        deadline_ms: Option<NonZeroU64>,
    ) {
        let Some(entry) = self.databases[self.selected].table.value_mut(slot) else {
            return;
        };
        let old = mem::replace(&mut entry.deadline_ms, deadline_ms);
        if old == deadline_ms {
            return;
        }
        let before = entry.sum;
        entry.sum = before
            .wrapping_sub(deadline_sum(old))
            .wrapping_add(deadline_sum(deadline_ms));
        let after = entry.sum;
        self.resum(hash, before, after);
        self.note_touched(slot);
        let Some((key, _)) = self.table().entry(slot) else {
            return;
        };
        let key = key.clone();
        let cost_bytes = deadline_bytes(&key);
        let key = match old {
            None => key,
            Some(old) => {
                self.used_bytes -= cost_bytes;
                let pair = (old, key);
                self.databases[self.selected].deadlines.remove(&pair);
                pair.1
            }
        };
        if let Some(deadline_ms) = deadline_ms {
            self.used_bytes += cost_bytes;
            let deadlines = &mut self.databases[self.selected].deadlines;
            deadlines.insert((deadline_ms, key));
        }
    }

    /// Returns when the next key expires, in ms.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        let firsts = self.databases.iter().filter_map(|it| it.deadlines.first());
        let deadline_ms = firsts.map(|(deadline_ms, _)| deadline_ms.get()).min()?;
        Some(deadline_ms.saturating_add(1))
    }

    /// Removes up to `removals_max` expired keys, of each database the earliest first. Returns how many it has removed.
    pub fn remove_expired(&mut self, removals_max: usize) -> usize {
        let selected = self.selected;
        let mut removed = 0;
        for database in 0..DATABASES {
            self.select(database);
            while removed < removals_max
                && let Some((deadline_ms, key)) = self.databases[database].deadlines.first()
                && self.now_ms > deadline_ms.get()
            {
                let key = key.clone();
                self.locate(&key);
                removed += 1;
            }
        }
        self.select(selected);
        removed
    }
}
