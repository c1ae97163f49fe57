//! The DMAR table (Intel Virtualization Technology for Directed I/O, 4.1, 8).

use super::{ENTRIES, Iommus, Skipped, Unit, Vendor, for_each_entry};
use crate::physical::{Block, InputError};

/// Types of entries: a unit, reserved memory.
const DRHD: u16 = 0;
const RMRR: u16 = 1;

/// Returns the name of a type of entry that is not used. None of them changes what a device may reach:
/// - ATSR, SATC: which devices may keep translations. They are not asked to.
/// - RHSA: which unit is near which memory.
/// - ANDD: names of devices without a bus, which are behind the same units.
/// - SIDP: devices that need properties which this driver does not give to any.
fn name(kind: u16) -> &'static str {
    match kind {
        2 => "ATSR",
        3 => "RHSA",
        4 => "ANDD",
        5 => "SATC",
        6 => "SIDP",
        _ => "unknown",
    }
}

pub(super) fn parse(table: &Block) -> Result<Iommus, InputError> {
    let mut found = Iommus::default();
    let head = |table: &Block, offset| table.u16(offset + 2, "entry length").map(usize::from);
    for_each_entry(table, ENTRIES, head, |entry, offset| {
        match entry.u16(0, "entry type")? {
            DRHD => {
                let unit = Unit {
                    vendor: Vendor::Intel,
                    segment: entry.u16(6, "DRHD: segment")?,
                    registers: entry.u64(8, "DRHD: register base address")?,
                };
                found.add_unit(unit, entry)
            }
            RMRR => {
                let segment = entry.u16(6, "RMRR: segment")?;
                let start = entry.u64(8, "RMRR: base address")?;
                // The limit is the last byte.
                let end = entry.u64(16, "RMRR: limit address")?.checked_add(1);
                found.add_reserved(segment, start, end, entry)
            }
            kind => {
                let name = name(kind);
                found.skipped.push(Skipped { name, kind, offset });
                Ok(())
            }
        }
    })?;
    Ok(found)
}
