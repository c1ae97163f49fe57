//! The IOMMUs, which stand between devices and memory: Intel's by the DMAR table, AMD's by the IVRS table.

mod dmar;
mod ivrs;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

use super::root::HEADER_BYTES;
use crate::physical::{Block, InputError, Problem};
use crate::range::Range;

/// Maximum number of units. A table with more is refused: a unit that is left out would let devices through.
pub const UNITS_MAX: usize = 64;

/// Whose specification a unit follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Intel's Virtualization Technology for Directed I/O.
    Intel,
    /// AMD's I/O Virtualization Technology.
    Amd,
}

impl Vendor {
    /// Returns the name of the technology.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intel => "VT-d",
            Self::Amd => "AMD-Vi",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A unit: one set of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Whose it is.
    pub vendor: Vendor,
    /// The PCI segment whose functions it stands in front of.
    pub segment: u16,
    /// Physical address of its registers.
    pub registers: u64,
}

/// Memory that the firmware wants some functions to reach always: an RMRR, or an IVMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedMemory {
    /// The PCI segment of the functions.
    pub segment: u16,
    /// The memory.
    pub range: Range,
}

/// An entry that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, or that it has none.
    pub name: &'static str,
    /// Its type.
    pub kind: u16,
    /// Its place in the table, in bytes.
    pub offset: usize,
}

/// What a table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Iommus {
    /// The units.
    pub units: Vec<Unit>,
    /// Reserved memory.
    pub reserved: Vec<ReservedMemory>,
    /// What else there is.
    pub skipped: Vec<Skipped>,
}

impl Iommus {
    /// Takes in a unit.
    ///
    /// # Errors
    /// It cannot be, or there are too many.
    fn add_unit(&mut self, unit: Unit, entry: &Block) -> Result<(), InputError> {
        let field = "register base address";
        if unit.registers == 0 || !unit.registers.is_multiple_of(4096) {
            let expected = "a multiple of 4096, and not 0";
            return Err(entry.error(field, Problem::Value(unit.registers, expected)));
        }
        if let Some(same) = self.units.iter().find(|it| it.registers == unit.registers) {
            return Err(entry.error(field, Problem::Duplicate(same.registers)));
        }
        if self.units.len() == UNITS_MAX {
            return Err(entry.error("number of units", Problem::TooLong(UNITS_MAX as u64)));
        }
        self.units.push(unit);
        Ok(())
    }

    /// Takes in reserved memory from `start` to the byte before `end`.
    fn add_reserved(
        &mut self,
        segment: u16,
        start: u64,
        end: Option<u64>,
        entry: &Block,
    ) -> Result<(), InputError> {
        let Some(end) = end.filter(|end| start < *end) else {
            let problem = Problem::Value(start, "below the end of the reserved memory");
            return Err(entry.error("start of reserved memory", problem));
        };
        let range = Range::new(start, end);
        self.reserved.push(ReservedMemory { segment, range });
        Ok(())
    }
}

/// Calls `take` with each entry of a table from `first` on, and its place. An entry begins with its type and its
/// length, which `head` reads.
fn for_each_entry(
    table: &Block,
    first: usize,
    head: impl Fn(&Block, usize) -> Result<usize, InputError>,
    mut take: impl FnMut(&Block, usize) -> Result<(), InputError>,
) -> Result<(), InputError> {
    let mut offset = first;
    while offset < table.bytes.len() {
        let length = head(table, offset)?;
        // An entry shorter than its own header would be read for ever.
        if length < 4 {
            return Err(table.error("entry length", Problem::Value(length as u64, "at least 4")));
        }
        let Some(bytes) = table.bytes.get(offset..offset + length) else {
            let left = table.bytes.len() - offset;
            return Err(table.error("entry length", Problem::TooShort(left as u64)));
        };
        let entry = Block {
            name: table.name,
            bytes: bytes.to_vec(),
        };
        take(&entry, offset)?;
        offset += length;
    }
    Ok(())
}

/// Reads the table that there is. Nothing without one.
///
/// # Errors
/// Names the field that cannot be used. No machine has both tables.
pub(super) fn parse(
    dmar: Option<Result<Block, InputError>>,
    ivrs: Option<Result<Block, InputError>>,
) -> Result<Iommus, InputError> {
    match (dmar, ivrs) {
        (None, None) => Ok(Iommus::default()),
        (Some(dmar), None) => dmar::parse(&dmar?),
        (None, Some(ivrs)) => ivrs::parse(&ivrs?),
        (Some(dmar), Some(_)) => Err(dmar?.error("IVRS beside it", Problem::Duplicate(0))),
    }
}

/// Both tables have 12 bytes of their own behind the header.
const ENTRIES: usize = HEADER_BYTES + 12;
