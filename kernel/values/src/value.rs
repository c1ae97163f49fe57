//! The five types of value, and how much memory each counts.

use crate::hash::Hash;
use crate::list::{End, List};
use crate::set::Set;
use crate::sorted_set::SortedSet;
use crate::table::Seed;
use alloc::boxed::Box;
use fingerprint::string_sum;
use resp::{Bytes, heap_bytes};

/// Memory of an empty collection, in bytes.
pub const COLLECTION_BYTES: u64 = 320;

/// Collections with more elements than this are freed after the command, with calls of `step` in between.
const FREED_AT_ONCE: usize = 64;

/// The value of a key.
pub enum Value {
    /// A string.
    String(Bytes),
    /// A list.
    List(Box<List>),
    /// A hash.
    Hash(Box<Hash>),
    /// A set.
    Set(Box<Set>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
}

impl Value {
    /// Returns the name that `TYPE` replies.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
        }
    }

    /// Returns the memory of the value, in bytes. It depends on the content alone.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Self::String(string) => string.payload_bytes(),
            Self::List(list) => Kind::payload_bytes(&**list),
            Self::Hash(hash) => hash.payload_bytes(),
            Self::Set(set) => set.payload_bytes(),
            Self::SortedSet(set) => set.payload_bytes(),
        }
    }

    /// Returns its sum. For a string that takes time in proportion to its length.
    pub fn sum(&self) -> u64 {
        match self {
            Self::String(string) => string_sum(string),
            Self::List(list) => list.sum(),
            Self::Hash(hash) => hash.sum,
            Self::Set(set) => set.sum,
            Self::SortedSet(set) => set.scores.sum,
        }
    }

    /// Returns whether dropping it takes only a few instructions.
    pub fn is_small(&self) -> bool {
        FREED_AT_ONCE
            >= match self {
                Self::String(_) => 0,
                Self::List(list) => list.len(),
                Self::Hash(hash) => hash.len(),
                Self::Set(set) => set.len(),
                Self::SortedSet(set) => set.len(),
            }
    }

    /// Returns the number of its strings: of elements, of members, or of fields and values.
    pub fn string_count(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(list) => list.len(),
            Self::Hash(hash) => 2 * hash.len(),
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => 2 * set.len(),
        }
    }

    /// Returns its strings in order, from the `first`-th on; in a hash, each field and then its value; in a sorted set,
    /// each member and then its score, as 8 bytes.
    pub fn strings(&self, first: usize) -> Box<dyn Iterator<Item = &Bytes> + '_> {
        match self {
            Self::String(string) => Box::new(core::iter::once(string).skip(first)),
            Self::List(list) => Box::new((first..list.len()).filter_map(|index| list.get(index))),
            Self::Hash(hash) => Box::new(hash.strings(first)),
            Self::SortedSet(set) => Box::new(set.scores.strings(first)),
            Self::Set(set) => Box::new(set.table.iter_from(first).map(|(member, ())| member)),
        }
    }

    /// Changes one of its strings behind its back. Returns what `change` does.
    #[cfg(feature = "testing")]
    pub fn with_a_string(&mut self, random: u64, change: impl FnOnce(&mut Bytes) -> bool) -> bool {
        let count = self.string_count().max(1);
        let nth = (random % count as u64) as usize;
        match self {
            Self::String(string) => change(string),
            Self::List(list) => list.get_mut(nth).is_some_and(change),
            Self::Hash(hash) => hash.with_a_value(nth / 2, change),
            Self::SortedSet(set) => set.scores.with_a_value(nth / 2, change),
            // Members are keys of their table: what changes one has to take it out.
            Self::Set(set) => {
                let slot = set.table.nth(nth);
                let Some((mut member, ())) = slot.and_then(|slot| set.table.remove_at(slot)) else {
                    return false;
                };
                let is_changed = change(&mut member);
                set.table.insert(member, ());
                is_changed
            }
        }
    }

    /// Copies it element by element, so that the copy has the same order.
    pub fn copied(&self, seed: Seed, step: &mut dyn FnMut()) -> Self {
        match self {
            Self::String(string) => Self::String(string.clone()),
            Self::List(list) => {
                let mut copy = List::default();
                for element in list.iter() {
                    step();
                    copy.push(End::Back, element.clone());
                }
                copy.into_value()
            }
            Self::Hash(hash) => {
                let mut copy = Hash::restored(seed, hash.is_spread());
                for (field, value) in hash.iter() {
                    step();
                    copy.set(field.clone(), value.clone());
                }
                copy.into_value()
            }
            Self::SortedSet(set) => {
                let mut copy = SortedSet::restored(seed, set.is_spread());
                for (member, score) in set.iter() {
                    step();
                    copy.set(member.clone(), score);
                }
                copy.into_value()
            }
            Self::Set(set) => {
                let mut copy = Set::restored(seed, set.is_spread());
                for member in set.iter() {
                    step();
                    copy.add(member.clone());
                }
                copy.into_value()
            }
        }
    }

    /// Drops it element by element.
    pub fn discard(self, step: &mut dyn FnMut()) {
        match self {
            Self::String(_) => {}
            Self::List(list) => list.into_elements().for_each(|_| step()),
            Self::Hash(hash) => hash.table.into_entries().for_each(|_| step()),
            Self::Set(set) => set.table.into_entries().for_each(|_| step()),
            Self::SortedSet(set) => set.discard(step),
        }
    }
}

/// A type of value, as a command wants it.
pub trait Kind: Sized {
    /// Makes an empty one.
    fn empty(seed: Seed) -> Self;
    /// Converts it to a value.
    fn into_value(self) -> Value;
    /// Returns the value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// Returns the value, to be changed, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// Returns its memory, in bytes. It depends on the content alone.
    fn payload_bytes(&self) -> u64;
    /// Returns whether it is an empty collection, whose key is to be removed.
    fn is_spent(&self) -> bool;
}

/// A type of value with elements, whose sum follows its changes.
pub trait Collection: Kind {
    /// Returns the sum of its elements.
    fn sum(&self) -> u64;
}

impl Kind for Bytes {
    fn empty(_: Seed) -> Self {
        Self::new()
    }
    fn into_value(self) -> Value {
        Value::String(self)
    }
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }
    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }
    fn payload_bytes(&self) -> u64 {
        heap_bytes(self.len())
    }
    fn is_spent(&self) -> bool {
        false
    }
}

/// Implements [`Kind`] for the collections, which are boxed.
macro_rules! collection_kind {
    ($kind:ident, $empty:expr, $payload:expr, $sum:expr) => {
        impl Collection for $kind {
            fn sum(&self) -> u64 {
                let sum: fn(&Self) -> u64 = $sum;
                sum(self)
            }
        }

        impl Kind for $kind {
            fn empty(seed: Seed) -> Self {
                let empty: fn(Seed) -> Self = $empty;
                empty(seed)
            }
            fn into_value(self) -> Value {
                Value::$kind(Box::new(self))
            }
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$kind(collection) => Some(collection),
                    _ => None,
                }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$kind(collection) => Some(collection),
                    _ => None,
                }
            }
            fn payload_bytes(&self) -> u64 {
                let payload: fn(&Self) -> u64 = $payload;
                COLLECTION_BYTES + payload(self)
            }
            fn is_spent(&self) -> bool {
                self.is_empty()
            }
        }
    };
}

collection_kind!(List, |_| List::default(), List::elements_bytes, List::sum);
collection_kind!(Hash, Hash::new, |hash| hash.entries_bytes, |hash| hash.sum);
collection_kind!(SortedSet, SortedSet::new, SortedSet::entries_bytes, |set| {
    set.scores.sum
});
collection_kind!(Set, Set::new, |set| set.entries_bytes, |set| set.sum);
