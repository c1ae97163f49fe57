//! Ranges of physical memory, and sets of them.

use alloc::vec::Vec;
use core::fmt;

/// A run of physical memory, in bytes, `end` exclusive. One whose end is not above its start is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Range {
    /// Makes the range from `start` up to `end`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Makes the range of `size_bytes` bytes from `start` on, or none if they do not fit into 64 bits.
    pub const fn sized(start: u64, size_bytes: u64) -> Option<Self> {
        match start.checked_add(size_bytes) {
            Some(end) => Some(Self { start, end }),
            None => None,
        }
    }

    /// Returns its length in bytes.
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether all of `other` lies in it; an empty range lies in any.
    pub const fn contains(&self, other: Range) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// Returns whether they have a byte in common.
    pub fn overlaps(&self, other: Range) -> bool {
        !self.intersection(other).is_empty()
    }

    /// Returns what they have in common.
    pub fn intersection(&self, other: Range) -> Range {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Returns the largest range inside whose bounds are multiples of `align_bytes`, a power of two.
    pub const fn align_inward(&self, align_bytes: u64) -> Range {
        let mask = align_bytes - 1;
        match self.start.checked_add(mask) {
            Some(start) => Self::new(start & !mask, self.end & !mask),
            None => Self::new(0, 0),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }
}

/// A set of bytes of memory: disjoint ranges that do not touch, in rising order, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Vec<Range>);

impl FromIterator<Range> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut sorted: Vec<Range> = ranges.into_iter().filter(|r| !r.is_empty()).collect();
        sorted.sort_unstable();
        let mut joined: Vec<Range> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        Self(joined)
    }
}

impl RangeSet {
    /// Returns the ranges, rising.
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    /// Returns the number of bytes in the set.
    pub fn total_bytes(&self) -> u64 {
        self.0.iter().map(Range::len).sum()
    }

    /// Returns whether all of `range` is in the set.
    pub fn contains(&self, range: Range) -> bool {
        self.0.iter().any(|own| own.contains(range))
    }

    /// Returns the set without the bytes of `hole`.
    #[must_use]
    pub fn without(&self, hole: Range) -> Self {
        let pieces = |range: &Range| {
            if range.overlaps(hole) {
                [
                    Range::new(range.start, hole.start),
                    Range::new(hole.end, range.end),
                ]
            } else {
                [*range, Range::default()]
            }
        };
        Self(
            self.0
                .iter()
                .flat_map(pieces)
                .filter(|range| !range.is_empty())
                .collect(),
        )
    }

    /// Returns the set with each range cut down to multiples of `align_bytes`, a power of two.
    #[must_use]
    pub fn align_inward(&self, align_bytes: u64) -> Self {
        self.map(|range| range.align_inward(align_bytes))
    }

    /// Returns what lies inside `window`.
    #[must_use]
    pub fn inside(&self, window: Range) -> Self {
        self.map(|range| range.intersection(window))
    }

    fn map(&self, change: impl Fn(&Range) -> Range) -> Self {
        Self(
            self.0
                .iter()
                .map(change)
                .filter(|r| !r.is_empty())
                .collect(),
        )
    }

    /// Takes the lowest free `size_bytes` inside `window`, aligned to `align_bytes` (a power of two), out of the set.
    pub fn allocate_bottom(
        &mut self,
        size_bytes: u64,
        align_bytes: u64,
        window: Range,
    ) -> Option<Range> {
        let spot = |range: Range| Range::sized(range.start, size_bytes);
        let found = self
            .candidates(size_bytes, align_bytes, window)
            .find_map(spot)?;
        *self = self.without(found);
        Some(found)
    }

    /// Takes the highest free `size_bytes` inside `window`, aligned to `align_bytes` (a power of two), out of the set.
    pub fn allocate_top(
        &mut self,
        size_bytes: u64,
        align_bytes: u64,
        window: Range,
    ) -> Option<Range> {
        let spot =
            |range: Range| Range::sized((range.end - size_bytes) & !(align_bytes - 1), size_bytes);
        let found = self
            .candidates(size_bytes, align_bytes, window)
            .rev()
            .find_map(spot)?;
        *self = self.without(found);
        Some(found)
    }

    /// Ranges that begin aligned and have the room.
    fn candidates(
        &self,
        size_bytes: u64,
        align_bytes: u64,
        window: Range,
    ) -> impl DoubleEndedIterator<Item = Range> + '_ {
        let mask = align_bytes - 1;
        self.0.iter().filter_map(move |range| {
            let range = range.intersection(window);
            let start = range.start.checked_add(mask)? & !mask;
            let usable = Range::new(start, range.end);
            (size_bytes > 0 && usable.len() >= size_bytes).then_some(usable)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERYTHING: Range = Range::new(0, u64::MAX);

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().map(|(s, e)| Range::new(*s, *e)).collect()
    }

    #[test]
    fn a_set_joins_what_touches_and_drops_what_is_empty() {
        assert_eq!(
            set(&[(30, 40), (0, 10), (10, 20), (15, 18), (25, 25), (9, 3)]),
            set(&[(0, 20), (30, 40)])
        );
    }

    #[test]
    fn a_hole_splits() {
        assert_eq!(
            set(&[(0, 100)]).without(Range::new(40, 50)),
            set(&[(0, 40), (50, 100)])
        );
        assert_eq!(
            set(&[(0, 100)]).without(Range::new(50, 40)),
            set(&[(0, 100)])
        );
        assert_eq!(
            set(&[(0, 10), (20, 30)]).without(Range::new(5, 25)),
            set(&[(0, 5), (25, 30)])
        );
    }

    #[test]
    fn allocation_is_aligned_and_inside_the_window() {
        let mut free = set(&[(0x1800, 0x9800)]);
        assert_eq!(
            free.allocate_bottom(0x1000, 0x1000, EVERYTHING),
            Some(Range::new(0x2000, 0x3000))
        );
        assert_eq!(
            free.allocate_top(0x1000, 0x1000, EVERYTHING),
            Some(Range::new(0x8000, 0x9000))
        );
        assert_eq!(
            free.allocate_top(0x1000, 0x1000, Range::new(0, 0x5800)),
            Some(Range::new(0x4000, 0x5000))
        );
        assert_eq!(free.allocate_bottom(0x10000, 1, EVERYTHING), None);
        assert_eq!(free.allocate_bottom(0, 1, EVERYTHING), None);
        assert_eq!(
            free,
            set(&[
                (0x1800, 0x2000),
                (0x3000, 0x4000),
                (0x5000, 0x8000),
                (0x9000, 0x9800)
            ])
        );
    }

    fn any_set() -> impl Strategy<Value = RangeSet> {
        proptest::collection::vec((any::<u64>(), any::<u64>()), 0..8).prop_map(|pairs| set(&pairs))
    }

    proptest! {
        #[test]
        fn what_is_allocated_was_free_and_is_no_longer(
            mut free in any_set(), size: u64, align in 0u32..63, window: (u64, u64), top: bool,
        ) {
            let (before, align, window) = (free.clone(), 1 << align, Range::new(window.0, window.1));
            let got = if top {
                free.allocate_top(size, align, window)
            } else {
                free.allocate_bottom(size, align, window)
            };
            if let Some(range) = got {
                prop_assert!(range.len() == size && range.start % align == 0);
                prop_assert!(before.contains(range) && window.contains(range));
                prop_assert!(free.as_slice().iter().all(|left| !left.overlaps(range)));
                prop_assert_eq!(free.total_bytes(), before.total_bytes() - size);
            } else {
                prop_assert_eq!(free, before);
            }
        }

        #[test]
        fn aligning_keeps_inside(free in any_set(), align in 0u32..63) {
            for range in free.align_inward(1 << align).as_slice() {
                prop_assert!(free.contains(*range));
                prop_assert!(range.start % (1 << align) == 0 && range.end % (1 << align) == 0);
            }
        }
    }
}
