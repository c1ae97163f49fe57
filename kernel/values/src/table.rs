//! A map that keeps insertion order and never pauses to grow.
//!
//! The entries are spread over shards by their hash, and each shard is a small [`IndexMap`]: a shard that grows moves
//! only a small part of the whole. The order is that of the shards, and within a shard the insertion order, except
//! that a removal puts the last entry of the shard into the gap. It depends on the operations and on the seed alone.
//! So inserting the entries in order into a new table with as many shards gives the same table.

use alloc::vec::Vec;
use core::mem;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1, RawEntryMut};
use resp::Bytes;
use siphasher::sip::SipHasher13;

/// Key of the hash function; both kernels must use the same.
pub type Seed = [u64; 2];

/// A table of one shard is spread over [`LARGE_SHARDS`] when it has more entries than this.
const SMALL_MAX: usize = 1024;
const LARGE_SHARDS: usize = 512;
/// A shard below this capacity is not worth shrinking.
const SHRINK_MIN: usize = 32;

// The maps of the shards never hash, because they always get the hash.
type Shard<V> = IndexMap<Bytes, V, ()>;

/// Where an entry is. It is valid until the next insertion or removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The shard.
    pub shard: usize,
    /// The entry in it.
    pub index: usize,
}

/// A map. See the module.
pub struct Table<V> {
    seed: Seed,
    len: usize,
    /// One, or a power of two.
    shard_count: usize,
    /// None before the first insertion.
    shards: Vec<Shard<V>>,
}

impl<V> Table<V> {
    /// Makes a table of `shards` shards, a power of two. It takes no memory before its first entry.
    pub fn with_shards(seed: Seed, shards: usize) -> Self {
        debug_assert!(shards.is_power_of_two());
        Self {
            seed,
            len: 0,
            shard_count: shards,
            shards: Vec::new(),
        }
    }

    /// Makes a table that starts with one shard and is spread out once, when it has become large. If `is_spread`, it
    /// begins spread out, as the table that it restores.
    pub fn growing(seed: Seed, is_spread: bool) -> Self {
        Self::with_shards(seed, if is_spread { LARGE_SHARDS } else { 1 })
    }

    /// Returns whether a [`growing`](Self::growing) table has been spread out.
    pub fn is_spread(&self) -> bool {
        self.shard_count > 1
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of shards.
    pub fn shard_count(&self) -> usize {
        self.shard_count
    }

    /// Returns the number of entries of one shard.
    pub fn shard_len(&self, shard: usize) -> usize {
        self.shards.get(shard).map_or(0, Shard::len)
    }

    /// Hashes a key by SipHash-1-3: its definition never changes, and a client that does not know the seed cannot
    /// make keys collide.
    pub fn hash(&self, key: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.seed[0], self.seed[1]).hash(key)
    }

    /// Returns where a key is. `hash` is its [`hash`](Self::hash).
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        let shard = self.shard_of(hash);
        let index = (self.shards.get(shard)?)
            .raw_entry_v1()
            .index_from_hash(hash, |candidate| candidate.as_slice() == key)?;
        Some(Slot { shard, index })
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let slot = self.find(self.hash(key), key)?;
        Some(self.entry(slot)?.1)
    }

    /// Returns the entry at a place.
    pub fn entry(&self, slot: Slot) -> Option<(&Bytes, &V)> {
        self.shards.get(slot.shard)?.get_index(slot.index)
    }

    /// Returns the value at a place, to be changed.
    pub fn value_mut(&mut self, slot: Slot) -> Option<&mut V> {
        let (_, value) = self.shards.get_mut(slot.shard)?.get_index_mut(slot.index)?;
        Some(value)
    }

    /// Inserts a key that is not there yet.
    pub fn insert_new(&mut self, hash: u64, key: Bytes, value: V) -> Slot {
        if self.shards.is_empty() {
            self.shards = new_shards(self.shard_count);
        }
        if self.shard_count == 1 && self.len >= SMALL_MAX {
            self.spread();
        }
        let shard = self.shard_of(hash);
        let index = self.shards[shard].len();
        push(&mut self.shards[shard], hash, key, value);
        self.len += 1;
        Slot { shard, index }
    }

    /// Inserts or replaces a value. Returns the value that was there.
    pub fn insert(&mut self, key: Bytes, value: V) -> Option<V> {
        let hash = self.hash(&key);
        if let Some(slot) = self.find(hash, &key)
            && let Some(old) = self.value_mut(slot)
        {
            return Some(mem::replace(old, value));
        }
        self.insert_new(hash, key, value);
        None
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) -> Option<(Bytes, V)> {
        let slot = self.find(self.hash(key), key)?;
        self.remove_at(slot)
    }

    /// Removes an entry. The last one of its shard takes its place.
    pub fn remove_at(&mut self, slot: Slot) -> Option<(Bytes, V)> {
        let shard = self.shards.get_mut(slot.shard)?;
        let removed = shard.swap_remove_index(slot.index)?;
        self.len -= 1;
        // Give free memory back, because the memory count is of entries, not of capacity.
        if shard.capacity() > SHRINK_MIN && shard.len() < shard.capacity() / 4 {
            shard.shrink_to(shard.len() * 2);
        }
        Some(removed)
    }

    /// Takes the table apart, entry by entry, in order.
    pub fn into_entries(self) -> impl Iterator<Item = (Bytes, V)> {
        self.shards.into_iter().flatten()
    }

    /// Returns the slot of the `position`-th entry in order.
    pub fn nth(&self, mut position: usize) -> Option<Slot> {
        for (shard, entries) in self.shards.iter().enumerate() {
            if position < entries.len() {
                return Some(Slot {
                    shard,
                    index: position,
                });
            }
            position -= entries.len();
        }
        None
    }

    /// Returns the entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &V)> {
        self.shards.iter().flatten()
    }

    /// Returns the entries in order, from the `position`-th on.
    pub fn iter_from(&self, position: usize) -> impl Iterator<Item = (&Bytes, &V)> {
        let (shard, index) = match self.nth(position) {
            Some(slot) => (slot.shard, slot.index),
            None => (self.shards.len(), 0),
        };
        self.shards[shard..].iter().flatten().skip(index)
    }

    /// Returns the entries of one shard, in order.
    pub fn shard(&self, shard: usize) -> impl Iterator<Item = (&Bytes, &V)> {
        self.shards.get(shard).into_iter().flatten()
    }

    fn shard_of(&self, hash: u64) -> usize {
        // The middle bits of the hash: the map of the shard uses the low bits for the place and the top seven for its
        // tags.
        (hash >> 32) as usize & (self.shard_count - 1)
    }

    /// Moves the entries of the only shard to many shards. There are [`SMALL_MAX`] of them, so the time is bounded.
    fn spread(&mut self) {
        self.shard_count = LARGE_SHARDS;
        let small = mem::replace(&mut self.shards, new_shards(LARGE_SHARDS));
        for (key, value) in small.into_iter().flatten() {
            let hash = self.hash(&key);
            let shard = self.shard_of(hash);
            push(&mut self.shards[shard], hash, key, value);
        }
    }
}

fn new_shards<V>(count: usize) -> Vec<Shard<V>> {
    (0..count).map(|_| Shard::with_hasher(())).collect()
}

fn push<V>(shard: &mut Shard<V>, hash: u64, key: Bytes, value: V) {
    if let RawEntryMut::Vacant(entry) = shard.raw_entry_mut_v1().from_hash(hash, |_| false) {
        entry.insert_hashed_nocheck(hash, key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn key(number: usize) -> Bytes {
        Bytes::from_slice(format!("key:{number}").as_bytes())
    }

    #[test]
    fn keeps_every_entry_while_it_grows_and_shrinks() {
        let mut table = Table::growing([1, 2], false);
        for number in 0..5000 {
            assert_eq!(table.insert(key(number), number), None);
        }
        assert_eq!(table.insert(key(77), 0), Some(77));
        assert_eq!(table.insert(key(77), 77), Some(0));
        assert_eq!((table.len(), table.shard_count()), (5000, LARGE_SHARDS));
        for number in (0..5000).filter(|number| number % 10 != 0) {
            assert_eq!(table.remove(&key(number)), Some((key(number), number)));
            assert_eq!(table.remove(&key(number)), None);
        }
        assert_eq!(table.len(), 500);
        for number in (0..5000).step_by(10) {
            assert_eq!(table.get(&key(number)), Some(&number));
        }
        assert_eq!(table.iter().count(), 500);
        assert_eq!(table.into_entries().count(), 500);
    }

    #[test]
    fn nth_goes_through_the_table_in_order() {
        let mut table = Table::growing([3, 4], false);
        for number in 0..2000 {
            table.insert(key(number), number);
        }
        let by_position: Vec<_> = (0..2000)
            .filter_map(|position| table.entry(table.nth(position)?))
            .collect();
        assert!(by_position.into_iter().eq(table.iter()));
        assert_eq!(table.nth(2000), None);
    }

    #[test]
    fn importing_in_order_gives_the_same_order() {
        let mut table = Table::with_shards([5, 6], 16);
        for number in 0..3000 {
            table.insert(key(number), number);
        }
        for number in (0..3000).step_by(3) {
            table.remove(&key(number));
        }
        let mut copy = Table::with_shards([5, 6], 16);
        for (key, value) in table.iter() {
            copy.insert(key.clone(), *value);
        }
        assert!(table.iter().eq(copy.iter()));
        table.remove(&key(1));
        copy.remove(&key(1));
        assert!(table.iter().eq(copy.iter()));
    }

    #[test]
    fn capacity_follows_the_number_of_entries_down() {
        let mut table = Table::with_shards([7, 8], 1);
        for number in 0..SMALL_MAX {
            table.insert(key(number), ());
        }
        for number in 0..SMALL_MAX - 1 {
            table.remove(&key(number));
        }
        assert!(
            table.shards[0].capacity() <= SHRINK_MIN,
            "{}",
            table.shards[0].capacity()
        );
    }
}
