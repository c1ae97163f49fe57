//! Hashes.

use crate::sum::{pair_of, pair_sum};
use crate::table::{Seed, Table};
use fingerprint::string_sum;
use resp::{Bytes, heap_bytes};

/// Memory of a hash's field, in bytes, without what it and its value have on the heap. It is more than
/// the average, because it includes room for growing, and the shards of a table that has become large.
pub(crate) const FIELD_BYTES: u64 = 160;

/// Fields with values, in insertion order.
pub struct Hash {
    pub(crate) table: Table<Bytes>,
    pub(crate) entries_bytes: u64,
    /// The sum of the fields with their values.
    pub(crate) sum: u64,
}

impl Hash {
    pub(crate) fn new(seed: Seed) -> Self {
        Self::restored(seed, false)
    }

    /// Makes an empty hash for restored fields. `is_spread` says whether its table was spread out.
    pub fn restored(seed: Seed, is_spread: bool) -> Self {
        Self {
            table: Table::growing(seed, is_spread),
            entries_bytes: 0,
            sum: 0,
        }
    }

    /// Returns whether its table was spread out.
    pub fn is_spread(&self) -> bool {
        self.table.is_spread()
    }

    /// Returns the number of its fields.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a field.
    pub fn get(&self, field: &[u8]) -> Option<&Bytes> {
        self.table.get(field)
    }

    /// Sets a field. Returns whether it is new.
    pub fn set(&mut self, field: Bytes, value: Bytes) -> bool {
        let field_bytes = FIELD_BYTES + heap_bytes(field.len());
        let field_sum = string_sum(&field);
        self.entries_bytes += heap_bytes(value.len());
        self.sum = (self.sum).wrapping_add(pair_of(field_sum, string_sum(&value)));
        match self.table.insert(field, value) {
            Some(old) => {
                self.entries_bytes -= heap_bytes(old.len());
                self.sum = (self.sum).wrapping_sub(pair_of(field_sum, string_sum(&old)));
                false
            }
            None => {
                self.entries_bytes += field_bytes;
                true
            }
        }
    }

    /// Removes a field. Returns whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let Some((field, value)) = self.table.remove(field) else {
            return false;
        };
        self.entries_bytes -= FIELD_BYTES + heap_bytes(field.len()) + heap_bytes(value.len());
        self.sum = self.sum.wrapping_sub(pair_sum(&field, &value));
        true
    }

    /// Returns the field at a position, with its value.
    pub fn nth(&self, position: usize) -> Option<(&Bytes, &Bytes)> {
        self.table.entry(self.table.nth(position)?)
    }

    /// Returns its table, for a walk that goes on later.
    pub fn table(&self) -> &Table<Bytes> {
        &self.table
    }

    /// Returns each field and then its value, from the `first`-th string on.
    pub(crate) fn strings(&self, first: usize) -> impl Iterator<Item = &Bytes> {
        let pairs = self.table.iter_from(first / 2);
        pairs
            .flat_map(|(field, value)| [field, value])
            .skip(first % 2)
    }

    /// Changes the value at a position behind the back of the sum. Returns what `change` does.
    #[cfg(feature = "testing")]
    pub(crate) fn with_a_value(
        &mut self,
        position: usize,
        change: impl FnOnce(&mut Bytes) -> bool,
    ) -> bool {
        let slot = self.table.nth(position);
        slot.and_then(|slot| self.table.value_mut(slot))
            .is_some_and(change)
    }

    /// Returns its fields with their values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.table.iter()
    }
}
