//! The scrub: goes through the keyspace in bounded steps and looks whether memory still holds what was stored.
//!
//! It computes each entry's sum again and compares it with the stored one: whose sum differs has a bit that changed by
//! itself. Everything that it goes through is in a fingerprint, in order, so that two kernels that go through the same
//! part of the same state get the same.

use super::{Bytes, DATABASES, Entry, Keyspace, SHARDS, Slot, Value};
use alloc::vec::Vec;
use fingerprint::{Chain, PIECE_BYTES, piece_sum};
use values::sum::{deadline_sum, element_of, pair_of};
#[cfg(feature = "testing")]
use {super::databases, values::Table};

/// Work for a shard, in bytes whose hashing takes as long.
const SHARD_WORK: usize = 8;
/// Work for an entry beside its strings.
const ENTRY_WORK: usize = 256;
/// Work for a string beside its bytes.
const STRING_WORK: usize = 64;

/// Where a scrub goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubPosition {
    /// The shard, counted through all databases.
    pub shard: u32,
    /// The entry in its shard.
    pub index: u32,
    /// The string in its value.
    pub string: u64,
    /// The byte in its string; a multiple of the size of a piece.
    pub byte: u64,
}

/// What a step of a scrub came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// The fingerprint of what it went through.
    pub fingerprint: u64,
    /// Where the next step goes on.
    pub next: ScrubPosition,
    /// The key, as it is in memory, of the first entry that is not what was stored.
    pub damaged_key: Option<Vec<u8>>,
}

/// A scrub, which remembers the part of a value that it has gone through. It may begin anywhere.
#[derive(Default)]
pub struct Scrub {
    amid: Option<Amid>,
}

/// A value of which a part was gone through.
struct Amid {
    /// Where the rest begins.
    next: ScrubPosition,
    /// The stored sum when it began. If that changes, the value has changed, and the part says nothing.
    stored: u64,
    /// The sum of what was gone through, without the string that goes on.
    sum: u64,
    /// The sum of the pieces of the string that goes on.
    pieces: u64,
    /// The sum of the field whose value comes next, in a hash.
    field: Option<u64>,
}

impl Amid {
    fn begin(entry: &Entry) -> Self {
        Self {
            next: ScrubPosition::default(),
            stored: entry.sum,
            sum: deadline_sum(entry.deadline_ms),
            pieces: 0,
            field: None,
        }
    }

    /// Notes that a string has ended.
    fn string_ends(&mut self, value: &Value) {
        let pieces = core::mem::take(&mut self.pieces);
        let grown = match (value, self.field.take()) {
            (Value::String(_), _) => pieces,
            (Value::List(_) | Value::Set(_), _) => element_of(pieces),
            (Value::Hash(_) | Value::SortedSet(_), Some(field)) => pair_of(field, pieces),
            (Value::Hash(_) | Value::SortedSet(_), None) => {
                self.field = Some(pieces);
                0
            }
        };
        self.sum = self.sum.wrapping_add(grown);
    }
}

/// A step of a scrub.
struct Walk {
    chain: Chain,
    /// Work that may still be done.
    left: usize,
}

impl Walk {
    fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work);
    }

    /// Goes through a value from the place `at` on, a string and a byte. Returns whether it came to the end; if not,
    /// `at` is where the rest begins.
    fn value(&mut self, value: &Value, at: &mut (usize, usize), amid: &mut Option<Amid>) -> bool {
        if let Value::String(string) = value {
            return at.0 > 0 || self.string(value, string, at, amid);
        }
        for string in value.strings(at.0) {
            // At least one string, so that each step comes further.
            if !self.string(value, string, at, amid) {
                return false;
            }
            if self.left == 0 {
                return at.0 == value.string_count();
            }
        }
        true
    }

    /// Goes through a string from its byte `at.1` on. Returns whether it came to the end.
    fn string(
        &mut self,
        value: &Value,
        string: &Bytes,
        at: &mut (usize, usize),
        amid: &mut Option<Amid>,
    ) -> bool {
        self.spend(STRING_WORK);
        let first = at.1 / PIECE_BYTES;
        let rest = string.get(first * PIECE_BYTES..).unwrap_or(&[]);
        let pieces = rest.len().div_ceil(PIECE_BYTES);
        let some = pieces.min(1 + self.left / PIECE_BYTES);
        let sum = rest.chunks(PIECE_BYTES).take(some).zip(first..);
        let sum = sum.fold(0u64, |sum, (piece, number)| {
            sum.wrapping_add(piece_sum(piece, number))
        });
        self.spend(rest.len().min(some * PIECE_BYTES));
        // Of an element also the place counts. A string is compared by its stored sum: then a damaged one differs from
        // nobody before its own kernel has found it, at its end.
        if !matches!(value, Value::String(_)) {
            self.chain.number(sum);
        }
        if let Some(amid) = amid {
            amid.pieces = amid.pieces.wrapping_add(sum);
        }
        if some < pieces {
            at.1 = (first + some) * PIECE_BYTES;
            return false;
        }
        self.chain.number(string.len() as u64);
        *at = (at.0 + 1, 0);
        if let Some(amid) = amid {
            amid.string_ends(value);
        }
        true
    }
}

impl Keyspace {
    /// Goes through the keyspace from the position `from` on, for about as long as it takes to hash `work_bytes`, at
    /// most to its end. The next step then begins anew.
    pub fn scrub(&self, scrub: &mut Scrub, from: ScrubPosition, work_bytes: usize) -> Scrubbed {
        let mut walk = Walk {
            chain: Chain::default(),
            left: work_bytes,
        };
        let mut amid = scrub.amid.take().filter(|amid| amid.next == from);
        let mut slot = Slot {
            shard: from.shard as usize,
            index: from.index as usize,
        };
        let mut at = (from.string as usize, from.byte as usize);
        let mut damaged_key = None;
        // A damaged position leads to no database, and so to the end.
        let mut database = slot.shard / SHARDS;
        slot.shard %= SHARDS;
        while let Some(table) = self.database(database)
            && walk.left > 0
        {
            let Some((key, entry)) = table.entry(slot) else {
                let is_last = slot.shard + 1 == SHARDS || table.is_empty();
                database += usize::from(is_last);
                slot = Slot {
                    shard: if is_last { 0 } else { slot.shard + 1 },
                    index: 0,
                };
                at = (0, 0);
                walk.spend(SHARD_WORK);
                continue;
            };
            walk.spend(ENTRY_WORK);
            let hash = table.hash(key);
            if at == (0, 0) {
                amid = Some(Amid::begin(entry));
                walk.chain.number(hash);
                walk.chain.number(database as u64);
                walk.chain.number(entry.value.string_count() as u64);
            }
            let is_complete = walk.value(&entry.value, &mut at, &mut amid);
            // A value that has changed meanwhile is looked at in the next pass.
            let whole = amid.take_if(|amid| amid.stored != entry.sum || is_complete);
            let whole = whole.filter(|amid| amid.stored == entry.sum);
            let is_value_wrong = whole.is_some_and(|amid| amid.sum != entry.sum);
            if is_value_wrong || table.find(hash, key) != Some(slot) {
                damaged_key.get_or_insert_with(|| key.to_vec());
            }
            if !is_complete {
                break;
            }
            walk.chain.number(entry.sum);
            (slot.index, at) = (slot.index + 1, (0, 0));
        }
        let next = match database < DATABASES {
            false => ScrubPosition::default(),
            true => ScrubPosition {
                shard: (database * SHARDS + slot.shard) as u32,
                index: slot.index as u32,
                string: at.0 as u64,
                byte: at.1 as u64,
            },
        };
        scrub.amid = amid.map(|amid| Amid { next, ..amid });
        Scrubbed {
            fingerprint: walk.chain.finish(),
            next,
            damaged_key,
        }
    }
}

#[cfg(feature = "testing")]
impl Keyspace {
    /// Flips a bit of the string of a key as damaged memory does. Returns false if there is none.
    pub fn flip_bit_of(&mut self, key: &[u8], random: u64) -> bool {
        let slot = self.locate(key).slot;
        let table = &mut self.databases[self.selected].table;
        let entry = slot.and_then(|slot| table.value_mut(slot));
        entry.is_some_and(|entry| entry.value.with_a_string(0, |string| flip(string, random)))
    }

    /// Flips a bit of a value as damaged memory does. Returns false if there is none.
    pub fn flip_bit(&mut self, random: u64) -> bool {
        let mut databases = self.databases.iter_mut();
        let Some(database) = databases.find(|database| !database.table.is_empty()) else {
            return false;
        };
        let entries = database.table.len() as u64;
        let Some(slot) = database.table.nth((random % entries) as usize) else {
            return false;
        };
        let random = random / entries;
        let entry = database.table.value_mut(slot);
        entry.is_some_and(|entry| {
            let value = &mut entry.value;
            value.with_a_string(random, |string| flip(string, random))
        })
    }

    /// Returns the sum of all entries, computed from what they say.
    pub fn recomputed_sum(&self) -> u64 {
        let sum_of = |table: &Table<Entry>| {
            let sums = table
                .iter()
                .map(|(key, entry)| fingerprint::bind(entry.sum, table.hash(key)));
            sums.fold(0, u64::wrapping_add)
        };
        databases::sum_of_all(self.tables().map(sum_of))
    }
}

#[cfg(feature = "testing")]
fn flip(string: &mut Bytes, random: u64) -> bool {
    let bits = 8 * string.len().max(1) as u64;
    let bit = (random % bits) as usize;
    let byte = string.get_mut(bit / 8);
    byte.map(|byte| *byte ^= 1 << (bit % 8)).is_some()
}
