//! The memory of one instance, as it is loaded.

use alloc::vec::Vec;

use crate::range::Range;

/// Boot parameters give addresses in 32 bits.
const BELOW_4_GIB: Range = Range::new(0, 1 << 32);

/// The memory of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceMemory {
    /// Where it waits, or was booted.
    pub slot: Range,
    /// All of it but low memory; of a backup the slot.
    pub main: Vec<Range>,
    /// Below 1 MiB; empty if it needs none.
    pub low: Range,
    /// Memory that is offered to it as a disk, if any.
    pub pmem: Option<Range>,
}

impl InstanceMemory {
    /// Returns the range of which most lies below 4 GiB: where boot parameters can point to.
    pub fn piece(&self) -> Range {
        let below = |range: &Range| range.intersection(BELOW_4_GIB).len();
        self.main
            .iter()
            .copied()
            .max_by_key(below)
            .unwrap_or_default()
    }

    /// Returns all of it, low memory included.
    pub fn all(&self) -> Vec<Range> {
        self.main.iter().copied().chain([self.low]).collect()
    }
}
