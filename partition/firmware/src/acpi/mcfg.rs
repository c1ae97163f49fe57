//! The MCFG (PCI Firmware Specification 3.3, 4.1.2): where configuration space lies in memory.

use alloc::vec::Vec;

use super::root::HEADER_BYTES;
use crate::physical::{Block, InputError, Problem};
use crate::range::Range;

/// Eight reserved bytes; then the entries.
const ENTRIES: usize = HEADER_BYTES + 8;
const ENTRY_BYTES: usize = 16;
const BUS_BYTES: u64 = 1 << 20;

/// Configuration space of some buses, in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ecam {
    /// The segment.
    pub segment: u16,
    /// The first bus.
    pub first_bus: u8,
    /// The last bus.
    pub last_bus: u8,
    /// Where it lies: the first byte is that of the first bus.
    pub range: Range,
}

pub(super) fn parse(table: &Block) -> Result<Vec<Ecam>, InputError> {
    let mut windows: Vec<Ecam> = Vec::new();
    let mut offset = ENTRIES;
    while offset < table.bytes.len() {
        let window = entry(table, offset)?;
        let is_same = |other: &Ecam| {
            other.segment == window.segment
                && other.first_bus <= window.last_bus
                && window.first_bus <= other.last_bus
        };
        if windows.iter().any(is_same) {
            return Err(table.error("segment", Problem::Duplicate(window.segment.into())));
        }
        if windows
            .iter()
            .any(|other| other.range.overlaps(window.range))
        {
            return Err(table.error("base address", Problem::Duplicate(window.range.start)));
        }
        windows.push(window);
        offset += ENTRY_BYTES;
    }
    Ok(windows)
}

/// Reads an entry. Its base address is that of bus 0, even if its first bus is another.
fn entry(table: &Block, offset: usize) -> Result<Ecam, InputError> {
    let base = table.u64(offset, "base address")?;
    let segment = table.u16(offset + 8, "segment")?;
    let first_bus = table.u8(offset + 10, "first bus")?;
    let last_bus = table.u8(offset + 11, "last bus")?;
    if last_bus < first_bus {
        let expected = "at least the first bus";
        return Err(table.error("last bus", Problem::Value(last_bus.into(), expected)));
    }
    let is_aligned = base != 0 && base.is_multiple_of(BUS_BYTES);
    let start = base.checked_add(u64::from(first_bus) * BUS_BYTES);
    let bytes = (u64::from(last_bus) - u64::from(first_bus) + 1) * BUS_BYTES;
    let range = start.and_then(|start| Range::sized(start, bytes));
    match range.filter(|_| is_aligned) {
        Some(range) => Ok(Ecam {
            segment,
            first_bus,
            last_bus,
            range,
        }),
        None => Err(table.error("base address", Problem::Value(base, "a multiple of 1 MiB"))),
    }
}
