//! The four types of value, and how much memory each counts.

use crate::list::List;
use crate::random::Random;
use crate::sum::{element_sum, pair_of, pair_sum};
use crate::table::{Seed, Table};
use alloc::boxed::Box;
use fingerprint::string_sum;
use resp::{Bytes, heap_bytes};

/// Memory of a hash's field, in bytes, without what it and its value have on the heap. Here and for members it is
/// more than the average, because it includes room for growing, and the shards of a table that has become large.
const FIELD_BYTES: u64 = 160;
/// Memory of a set's member, in bytes, without what it has on the heap.
const MEMBER_BYTES: u64 = 112;
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
}

impl Value {
    /// Returns the name that `TYPE` replies.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
        }
    }

    /// Returns the memory of the value, in bytes. It depends on the content alone.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Self::String(string) => string.payload_bytes(),
            Self::List(list) => Kind::payload_bytes(&**list),
            Self::Hash(hash) => hash.payload_bytes(),
            Self::Set(set) => set.payload_bytes(),
        }
    }

    /// Returns its sum. For a string that takes time in proportion to its length.
    pub fn sum(&self) -> u64 {
        match self {
            Self::String(string) => string_sum(string),
            Self::List(list) => list.sum(),
            Self::Hash(hash) => hash.sum,
            Self::Set(set) => set.sum,
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
            }
    }

    /// Returns the number of its strings: of elements, of members, or of fields and values.
    pub fn string_count(&self) -> usize {
        match self {
            Self::String(_) => 1,
            Self::List(list) => list.len(),
            Self::Hash(hash) => 2 * hash.len(),
            Self::Set(set) => set.len(),
        }
    }

    /// Returns its strings in order, from the `first`-th on; in a hash, each field and then its value.
    pub fn strings(&self, first: usize) -> Box<dyn Iterator<Item = &Bytes> + '_> {
        match self {
            Self::String(string) => Box::new(core::iter::once(string).skip(first)),
            Self::List(list) => Box::new((first..list.len()).filter_map(|index| list.get(index))),
            Self::Hash(hash) => {
                let pairs = hash.table.iter_from(first / 2);
                Box::new(
                    pairs
                        .flat_map(|(field, value)| [field, value])
                        .skip(first % 2),
                )
            }
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
            Self::Hash(hash) => {
                let slot = hash.table.nth(nth / 2);
                slot.and_then(|slot| hash.table.value_mut(slot))
                    .is_some_and(change)
            }
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

    /// Drops it element by element.
    pub fn discard(self, step: &mut dyn FnMut()) {
        match self {
            Self::String(_) => {}
            Self::List(list) => list.into_elements().for_each(|_| step()),
            Self::Hash(hash) => hash.table.into_entries().for_each(|_| step()),
            Self::Set(set) => set.table.into_entries().for_each(|_| step()),
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

/// Implements [`Kind`] for the three collections, which are boxed.
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
collection_kind!(Set, Set::new, |set| set.entries_bytes, |set| set.sum);

/// Fields with values, in insertion order.
pub struct Hash {
    table: Table<Bytes>,
    entries_bytes: u64,
    /// The sum of the fields with their values.
    sum: u64,
}

impl Hash {
    fn new(seed: Seed) -> Self {
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

    /// Returns its fields with their values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.table.iter()
    }
}

/// Members, in insertion order.
pub struct Set {
    table: Table<()>,
    entries_bytes: u64,
    /// The sum of the members.
    sum: u64,
}

impl Set {
    fn new(seed: Seed) -> Self {
        Self::restored(seed, false)
    }

    /// Makes an empty set for restored members. `is_spread` says whether its table was spread out.
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

    /// Returns the number of its members.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether it has a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.table.get(member).is_some()
    }

    /// Adds a member. Returns whether it is new.
    pub fn add(&mut self, member: Bytes) -> bool {
        let member_bytes = MEMBER_BYTES + heap_bytes(member.len());
        let member_sum = element_sum(&member);
        let is_new = self.table.insert(member, ()).is_none();
        if is_new {
            self.entries_bytes += member_bytes;
            self.sum = self.sum.wrapping_add(member_sum);
        }
        is_new
    }

    /// Removes a member. Returns whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let removed = self.table.remove(member);
        self.forget(removed).is_some()
    }

    /// Removes a member chosen by `random`. Each is equally likely.
    pub fn take_random(&mut self, random: &mut Random) -> Option<Bytes> {
        let slot = self.table.nth(random.below(self.table.len()))?;
        let removed = self.table.remove_at(slot);
        self.forget(removed)
    }

    /// Returns its members in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.table.iter().map(|(member, ())| member)
    }

    fn forget(&mut self, removed: Option<(Bytes, ())>) -> Option<Bytes> {
        let (member, ()) = removed?;
        self.entries_bytes -= MEMBER_BYTES + heap_bytes(member.len());
        self.sum = self.sum.wrapping_sub(element_sum(&member));
        Some(member)
    }
}
