//! The memory map a Linux is given: E820 entries (ACPI 6.5, 15).

use alloc::vec::Vec;

use crate::memory::{MemoryMap, RegionKind};
use crate::range::Range;

/// Types of memory, as E820 numbers them.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// RAM.
    Usable = 1,
    /// Not to be touched.
    Reserved = 2,
    /// ACPI tables.
    Acpi = 3,
    /// Firmware's, kept across sleep.
    Nvs = 4,
    /// Broken.
    Bad = 5,
    /// RAM offered as a disk (Linux: "Persistent Memory (legacy)").
    Pram = 12,
}

/// An entry of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct E820 {
    /// Where.
    pub range: Range,
    /// What.
    pub kind: MapKind,
}

/// What is a Linux' own.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// Its memory, low memory included.
    pub ranges: &'a [Range],
    /// Kept for its boot parameters and ACPI tables.
    pub boot_area: Range,
    /// Memory offered as a disk, if any.
    pub pmem: Option<Range>,
}

/// Makes the map of a Linux that owns the machine: all that the firmware says, with usable memory that is not its own
/// reserved.
pub fn of_primary(machine: &MemoryMap, own: Own<'_>) -> Vec<E820> {
    let mut canvas = Canvas::default();
    for region in machine.regions() {
        let kind = match region.kind {
            RegionKind::Usable
            | RegionKind::Persistent
            | RegionKind::LegacyPersistent
            | RegionKind::Reserved => MapKind::Reserved,
            RegionKind::AcpiReclaimable => MapKind::Acpi,
            RegionKind::AcpiNvs => MapKind::Nvs,
            RegionKind::Bad => MapKind::Bad,
        };
        canvas.paint(region.range, kind);
    }
    canvas.paint_own(own)
}

/// Makes the map of a Linux in its slot: its own and nothing else. The rest must be unknown to it, not reserved, or it
/// could not be added later.
pub fn of_backup(own: Own<'_>) -> Vec<E820> {
    Canvas::default().paint_own(own)
}

/// Entries that do not overlap, rising; what is painted later covers what was there.
#[derive(Default)]
struct Canvas(Vec<E820>);

impl Canvas {
    fn paint_own(mut self, own: Own<'_>) -> Vec<E820> {
        for range in own.ranges {
            self.paint(*range, MapKind::Usable);
        }
        self.paint(own.boot_area, MapKind::Acpi);
        if let Some(pmem) = own.pmem {
            self.paint(pmem, MapKind::Pram);
        }
        self.joined()
    }

    fn paint(&mut self, range: Range, kind: MapKind) {
        if range.is_empty() {
            return;
        }
        let around = |entry: &E820| {
            [
                Range::new(entry.range.start, entry.range.end.min(range.start)),
                Range::new(entry.range.start.max(range.end), entry.range.end),
            ]
            .map(|range| E820 {
                range,
                kind: entry.kind,
            })
        };
        let mut entries: Vec<E820> = self.0.iter().flat_map(around).collect();
        entries.retain(|entry| !entry.range.is_empty());
        entries.push(E820 { range, kind });
        entries.sort_unstable_by_key(|entry| entry.range);
        self.0 = entries;
    }

    fn joined(self) -> Vec<E820> {
        let mut joined: Vec<E820> = Vec::with_capacity(self.0.len());
        for entry in self.0 {
            match joined.last_mut() {
                Some(last) if last.kind == entry.kind && last.range.end == entry.range.start => {
                    last.range.end = entry.range.end;
                }
                _ => joined.push(entry),
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Region;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn entry(start: u64, end: u64, kind: MapKind) -> E820 {
        E820 {
            range: Range::new(start, end),
            kind,
        }
    }

    #[test]
    fn the_owner_sees_the_machine_and_may_use_its_own() {
        let machine = MemoryMap::new([
            Region::sized(0, 0x9_fc00, RegionKind::Usable),
            Region::sized(MIB, 511 * MIB, RegionKind::Usable),
            Region::sized(512 * MIB, MIB, RegionKind::AcpiReclaimable),
            Region::sized(0xfec0_0000, MIB, RegionKind::Reserved),
        ]);
        let map = of_primary(
            &machine,
            Own {
                ranges: &[
                    Range::new(0x6_0000, 0x9_f000),
                    Range::new(128 * MIB, 512 * MIB),
                ],
                boot_area: Range::new(128 * MIB, 130 * MIB),
                pmem: Some(Range::new(64 * MIB, 96 * MIB)),
            },
        );
        assert_eq!(
            map,
            [
                entry(0, 0x6_0000, MapKind::Reserved),
                entry(0x6_0000, 0x9_f000, MapKind::Usable),
                entry(0x9_f000, 0x9_fc00, MapKind::Reserved),
                entry(MIB, 64 * MIB, MapKind::Reserved),
                entry(64 * MIB, 96 * MIB, MapKind::Pram),
                entry(96 * MIB, 128 * MIB, MapKind::Reserved),
                entry(128 * MIB, 130 * MIB, MapKind::Acpi),
                entry(130 * MIB, 512 * MIB, MapKind::Usable),
                entry(512 * MIB, 513 * MIB, MapKind::Acpi),
                entry(0xfec0_0000, 0xfec0_0000 + MIB, MapKind::Reserved),
            ]
        );
    }

    #[test]
    fn a_slot_knows_nothing_but_itself() {
        let map = of_backup(Own {
            ranges: &[
                Range::new(0x1_0000, 0x6_0000),
                Range::new(128 * MIB, 256 * MIB),
            ],
            boot_area: Range::new(128 * MIB, 130 * MIB),
            pmem: None,
        });
        assert_eq!(
            map,
            [
                entry(0x1_0000, 0x6_0000, MapKind::Usable),
                entry(128 * MIB, 130 * MIB, MapKind::Acpi),
                entry(130 * MIB, 256 * MIB, MapKind::Usable),
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_painted_last_is_seen(
            strokes in prop::collection::vec((0_u64..64, 0_u64..64, prop::bool::ANY), 0..20),
        ) {
            let mut canvas = Canvas::default();
            let mut truth = [None; 64];
            for (start, end, usable) in strokes {
                let kind = if usable { MapKind::Usable } else { MapKind::Reserved };
                canvas.paint(Range::new(start, end), kind);
                (start..end).for_each(|byte| truth[byte as usize] = Some(kind));
            }
            let map = canvas.joined();
            for byte in 0..64_u64 {
                let seen: Vec<_> = map.iter().filter(|e| (e.range.start..e.range.end).contains(&byte)).collect();
                prop_assert_eq!(seen.first().map(|e| e.kind), truth[byte as usize]);
                prop_assert!(seen.len() <= 1);
            }
            prop_assert!(map.windows(2).all(|w| w[0].range.end < w[1].range.start || w[0].kind != w[1].kind));
        }
    }
}
