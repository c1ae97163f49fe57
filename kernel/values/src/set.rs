//! Sets.

use crate::random::Random;
use crate::sum::element_sum;
use crate::table::{Seed, Table};
use resp::{Bytes, heap_bytes};

/// Memory of a set's member, in bytes, without what it has on the heap: as for a field, more than the average.
const MEMBER_BYTES: u64 = 112;

/// Members, in insertion order.
pub struct Set {
    pub(crate) table: Table<()>,
    pub(crate) entries_bytes: u64,
    /// The sum of the members.
    pub(crate) sum: u64,
}

impl Set {
    pub(crate) fn new(seed: Seed) -> Self {
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

    /// Returns the member at a position.
    pub fn nth(&self, position: usize) -> Option<&Bytes> {
        self.table
            .entry(self.table.nth(position)?)
            .map(|(member, ())| member)
    }

    /// Returns its table, for a walk that goes on later.
    pub fn table(&self) -> &Table<()> {
        &self.table
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
