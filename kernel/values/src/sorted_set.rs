//! Sorted sets.

use crate::hash::{FIELD_BYTES, Hash};
use crate::ranked::{Entries, Ranked, Scored};
use crate::table::{Seed, Table};
use core::ops::Range;
use resp::{Bytes, heap_bytes};

/// Memory of a member in the order of the scores, in bytes, without what it has on the heap: its entry, in a chunk of
/// which a quarter may be used.
const RANKED_BYTES: u64 = 4 * size_of::<Scored>() as u64;

/// Members with scores. The members with their scores, as 8 bytes, are a hash, which keeps the order of insertion, the
/// sum and the memory; an index has them in the order of the scores.
pub struct SortedSet {
    pub(crate) scores: Hash,
    order: Ranked,
    order_bytes: u64,
}

impl SortedSet {
    pub(crate) fn new(seed: Seed) -> Self {
        Self::restored(seed, false)
    }

    /// Makes an empty set for restored members. `is_spread` says whether its table was spread out.
    pub fn restored(seed: Seed, is_spread: bool) -> Self {
        Self {
            scores: Hash::restored(seed, is_spread),
            order: Ranked::default(),
            order_bytes: 0,
        }
    }

    /// Returns the memory that a member of `length` bytes takes, in bytes.
    pub fn member_bytes(length: usize) -> u64 {
        FIELD_BYTES + RANKED_BYTES + 2 * heap_bytes(length)
    }

    /// Returns whether its table was spread out.
    pub fn is_spread(&self) -> bool {
        self.scores.is_spread()
    }

    /// Returns the number of its members.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).map(|score| read(score))
    }

    /// Sets the score of a member, which is not NaN. Returns the score that it had.
    pub fn set(&mut self, member: Bytes, score: f64) -> Option<f64> {
        let old = self.score(&member);
        if let Some(old) = old {
            // A score that stays is not written, but one zero may replace the other.
            if old.to_bits() == score.to_bits() {
                return Some(old);
            }
            self.unrank(&member, old);
        }
        let entry = Scored {
            score,
            member: member.clone(),
        };
        self.order_bytes += ranked_bytes(&member);
        self.order.insert(entry);
        self.scores.set(member, Bytes::from_slice(&written(score)));
        old
    }

    /// Removes a member. Returns the score that it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.score(member)?;
        self.unrank(member, score);
        self.scores.remove(member);
        Some(score)
    }

    fn unrank(&mut self, member: &[u8], score: f64) {
        let member = Bytes::from_slice(member);
        let bytes = ranked_bytes(&member);
        if self.order.remove(&Scored { score, member }) {
            self.order_bytes -= bytes;
        }
    }

    /// Returns the rank of a member; that of the lowest score is 0.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let entry = Scored {
            score: self.score(member)?,
            member: Bytes::from_slice(member),
        };
        Some(self.order.count_before(|other| other.order(&entry).is_lt()))
    }

    /// Returns how many members there are for which `is_before` is true. They are those with the lowest scores.
    pub fn count_before(&self, is_before: impl Fn(&Scored) -> bool) -> usize {
        self.order.count_before(is_before)
    }

    /// Returns the member of a rank.
    pub fn at_rank(&self, rank: usize) -> Option<&Scored> {
        self.order.get(rank)
    }

    /// Returns the members of a range of ranks.
    pub fn ranks(&self, ranks: Range<usize>) -> Entries<'_> {
        self.order.range(ranks)
    }

    /// Returns its members with their scores, in the order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, f64)> {
        self.scores
            .iter()
            .map(|(member, score)| (member, read(score)))
    }

    /// Returns the member at a position of the order of insertion, with its score.
    pub fn nth(&self, position: usize) -> Option<(&Bytes, f64)> {
        let (member, score) = self.scores.nth(position)?;
        Some((member, read(score)))
    }

    /// Returns the table of the members with their scores, for a walk that goes on later.
    pub fn table(&self) -> &Table<Bytes> {
        self.scores.table()
    }

    /// Adds a restored member with its score. Returns false if no set has them.
    pub fn restore(&mut self, member: Bytes, score: &[u8]) -> bool {
        let score = <[u8; 8]>::try_from(score).map(f64::from_le_bytes);
        score.is_ok_and(|score| !score.is_nan() && self.set(member, score).is_none())
    }

    /// Returns the memory of the members, in bytes.
    pub(crate) fn entries_bytes(&self) -> u64 {
        self.scores.entries_bytes + self.order_bytes
    }

    /// Takes it apart, element by element.
    pub(crate) fn discard(self, step: &mut dyn FnMut()) {
        self.order.into_entries().for_each(|_| step());
        self.scores.table.into_entries().for_each(|_| step());
    }
}

/// Returns the score that a stored string is.
pub fn read(score: &[u8]) -> f64 {
    <[u8; 8]>::try_from(score).map_or(0.0, f64::from_le_bytes)
}

fn written(score: f64) -> [u8; 8] {
    score.to_le_bytes()
}

fn ranked_bytes(member: &Bytes) -> u64 {
    RANKED_BYTES + heap_bytes(member.len())
}
