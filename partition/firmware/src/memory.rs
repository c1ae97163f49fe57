//! The machine's memory map: what the firmware says of each range, with contradictions resolved.

use alloc::vec::Vec;
use core::fmt;

use crate::range::{Range, RangeSet};

/// Usable memory above this address is left alone: 64 TiB, what a direct map in the upper half of a 48-bit address
/// space has room for.
pub const USABLE_END: u64 = 1 << 46;

/// What a range of memory is. Where the firmware's claims overlap, the later of these kinds wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionKind {
    /// RAM, free to use.
    Usable,
    /// ACPI tables; usable once they were read, which nobody does here.
    AcpiReclaimable,
    /// Memory of the firmware that must be kept across sleep.
    AcpiNvs,
    /// Persistent memory (ACPI 6.5, table 15.4: type 7).
    Persistent,
    /// Persistent memory by the number that firmware used before there was one (type 12).
    LegacyPersistent,
    /// Not to be used.
    Reserved,
    /// RAM that was found to be broken.
    Bad,
}

impl RegionKind {
    const ALL: [Self; 7] = [
        Self::Usable,
        Self::AcpiReclaimable,
        Self::AcpiNvs,
        Self::Persistent,
        Self::LegacyPersistent,
        Self::Reserved,
        Self::Bad,
    ];

    /// Returns the kind behind a type number as E820, PVH and Multiboot2 have it (ACPI 6.5, table 15.4); an unknown one
    /// is reserved.
    pub fn from_e820(number: u32) -> Self {
        match number {
            1 => Self::Usable,
            3 => Self::AcpiReclaimable,
            4 => Self::AcpiNvs,
            5 => Self::Bad,
            7 => Self::Persistent,
            12 => Self::LegacyPersistent,
            _ => Self::Reserved,
        }
    }
}

/// A range of memory of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Where it is.
    pub range: Range,
    /// What it is.
    pub kind: RegionKind,
}

impl Region {
    /// Makes a region of `size_bytes` bytes of `kind` from `start` on; what would lie past the end of the address space
    /// is cut off.
    pub const fn sized(start: u64, size_bytes: u64, kind: RegionKind) -> Self {
        Self {
            range: Range::new(start, start.saturating_add(size_bytes)),
            kind,
        }
    }
}

/// Typed regions, rising, without overlaps; neighbours of the same kind are one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryMap(Vec<Region>);

impl MemoryMap {
    /// Brings what the firmware said into order: any order, overlaps and empty regions are allowed.
    pub fn new(claims: impl IntoIterator<Item = Region>) -> Self {
        let mut edges = Vec::new();
        for claim in claims.into_iter().filter(|c| !c.range.is_empty()) {
            edges.push((claim.range.start, claim.kind, true));
            edges.push((claim.range.end, claim.kind, false));
        }
        edges.sort_unstable_by_key(|(address, ..)| *address);

        let mut regions: Vec<Region> = Vec::new();
        let mut open = [0usize; RegionKind::ALL.len()];
        let mut previous = 0;
        for (address, kind, opens) in edges {
            let strictest = RegionKind::ALL
                .into_iter()
                .rev()
                .find(|kind| open[*kind as usize] > 0);
            if let Some(kind) = strictest.filter(|_| previous < address) {
                append(&mut regions, Range::new(previous, address), kind);
            }
            previous = address;
            let count = &mut open[kind as usize];
            // At one address a closing edge may come before the opening one of another claim, never before its own.
            *count = if opens { *count + 1 } else { *count - 1 };
        }
        Self(regions)
    }

    /// Returns the regions, rising.
    pub fn regions(&self) -> &[Region] {
        &self.0
    }

    /// Returns the persistent memory, rising, with its type number.
    pub fn persistent(&self) -> impl Iterator<Item = (Range, u32)> + '_ {
        self.0.iter().filter_map(|region| match region.kind {
            RegionKind::Persistent => Some((region.range, 7)),
            RegionKind::LegacyPersistent => Some((region.range, 12)),
            _ => None,
        })
    }

    /// Returns the memory that is free to use, below [`USABLE_END`].
    pub fn usable(&self) -> RangeSet {
        self.usable_within(Range::new(0, USABLE_END))
    }

    /// Returns the memory that would be free to use and is left alone, as it lies above [`USABLE_END`].
    pub fn unreachable(&self) -> RangeSet {
        self.usable_within(Range::new(USABLE_END, u64::MAX))
    }

    fn usable_within(&self, window: Range) -> RangeSet {
        self.0
            .iter()
            .filter(|region| region.kind == RegionKind::Usable)
            .map(|region| region.range.intersection(window))
            .collect()
    }
}

fn append(regions: &mut Vec<Region>, range: Range, kind: RegionKind) {
    match regions.last_mut() {
        Some(last) if last.kind == kind && last.range.end == range.start => {
            last.range.end = range.end;
        }
        _ => regions.push(Region { range, kind }),
    }
}

impl fmt::Display for MemoryMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for region in &self.0 {
            writeln!(f, "{} {:?}", region.range, region.kind)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::RegionKind::*;
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn the_most_restrictive_claim_wins() {
        let map = MemoryMap::new([
            Region::sized(50, 100, Reserved),
            Region::sized(0, 100, Usable),
            Region::sized(60, 0, Bad),
            Region::sized(20, 10, AcpiNvs),
            Region::sized(140, 60, Usable),
            Region::sized(25, 2, AcpiReclaimable),
            Region::sized(100, 10, Bad),
        ]);
        let expected = vec![
            (0, 20, Usable),
            (20, 30, AcpiNvs),
            (30, 50, Usable),
            (50, 100, Reserved),
            (100, 110, Bad),
            (110, 150, Reserved),
            (150, 200, Usable),
        ];
        let found: Vec<_> = map
            .regions()
            .iter()
            .map(|r| (r.range.start, r.range.end, r.kind))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn equal_neighbours_become_one_and_the_end_is_cut() {
        let map = MemoryMap::new([
            Region::sized(10, 10, Usable),
            Region::sized(0, 10, Usable),
            Region::sized(u64::MAX - 5, 100, Reserved),
            Region::sized(1 << 45, 1 << 47, Usable),
        ]);
        assert_eq!(map.regions().len(), 3);
        assert_eq!(
            map.usable().as_slice(),
            [Range::new(0, 20), Range::new(1 << 45, USABLE_END)]
        );
        let above = Range::new(USABLE_END, (1 << 45) + (1 << 47));
        assert_eq!(map.unreachable().as_slice(), [above]);
    }

    #[test]
    fn unknown_types_are_reserved() {
        assert_eq!(RegionKind::from_e820(1), Usable);
        assert_eq!(
            [0, 2, 6, 8, 0xffff_ffff].map(RegionKind::from_e820),
            [Reserved; 5]
        );
    }

    fn claim() -> impl Strategy<Value = Region> {
        // Small addresses, so that claims meet; and a few anywhere.
        let start = prop_oneof![0u64..40, any::<u64>()];
        let size = prop_oneof![0u64..20, any::<u64>()];
        (start, size, 0u32..13)
            .prop_map(|(start, size, kind)| Region::sized(start, size, RegionKind::from_e820(kind)))
    }

    proptest! {
        #[test]
        fn each_byte_is_what_its_strictest_claim_says(
            claims in proptest::collection::vec(claim(), 0..12), far: u64,
        ) {
            let map = MemoryMap::new(claims.iter().copied());
            let kind_at = |address| {
                let of = |regions: &[Region]| regions
                    .iter()
                    .filter(|r| r.range.contains(Range::new(address, address + 1)))
                    .map(|r| r.kind)
                    .max();
                (of(map.regions()), of(&claims))
            };
            for address in (0..60).chain([far.min(u64::MAX - 1)]) {
                let (found, expected) = kind_at(address);
                prop_assert_eq!(found, expected, "at {}", address);
            }
            for pair in map.regions().windows(2) {
                prop_assert!(pair[0].range.end <= pair[1].range.start);
                prop_assert!(!(pair[0].range.end == pair[1].range.start && pair[0].kind == pair[1].kind));
            }
        }
    }
}
