//! The IVRS table (AMD I/O Virtualization Technology 3.07, 5.2).

use super::{ENTRIES, Iommus, Skipped, Unit, Vendor, for_each_entry};
use crate::physical::{Block, InputError};

/// Types of entries: units, in three forms (a unit may be there in each), and reserved memory of all functions, of one,
/// and of several.
const IVHD_10: u8 = 0x10;
const IVHD_11: u8 = 0x11;
const IVHD_40: u8 = 0x40;
const IVMD_ALL: u8 = 0x20;
const IVMD_RANGE: u8 = 0x22;

pub(super) fn parse(table: &Block) -> Result<Iommus, InputError> {
    let mut found = Iommus::default();
    let head = |table: &Block, offset| table.u16(offset + 2, "entry length").map(usize::from);
    for_each_entry(table, ENTRIES, head, |entry, offset| {
        match entry.u8(0, "entry type")? {
            IVHD_10 | IVHD_11 | IVHD_40 => {
                let unit = Unit {
                    vendor: Vendor::Amd,
                    registers: entry.u64(8, "IVHD: register base address")?,
                    segment: entry.u16(16, "IVHD: segment")?,
                };
                match found.units.contains(&unit) {
                    true => Ok(()),
                    false => found.add_unit(unit, entry),
                }
            }
            IVMD_ALL..=IVMD_RANGE => {
                let segment = entry.u16(8, "IVMD: segment")?;
                let start = entry.u64(16, "IVMD: start address")?;
                let end = start.checked_add(entry.u64(24, "IVMD: length")?);
                found.add_reserved(segment, start, end, entry)
            }
            kind => {
                let (name, kind) = ("unknown", kind.into());
                found.skipped.push(Skipped { name, kind, offset });
                Ok(())
            }
        }
    })?;
    Ok(found)
}
