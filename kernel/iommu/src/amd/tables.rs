//! The device table (2.2.2): which tables belong to which function. All functions have the same, but those that are
//! withheld.

use alloc::vec::Vec;

use crate::domain::Domain;
use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory};

/// The number of the one domain.
pub(crate) const DOMAIN: u64 = 1;

const ENTRY_BYTES: u64 = 32;
const TABLE_PAGES: u64 = (1 << 16) * ENTRY_BYTES / PAGE_BYTES;
/// The size of the table, in pages less one, as the unit reads it behind the address.
const TABLE_SIZE: u64 = TABLE_PAGES - 1;

/// Pages that a segment takes, with one that is lost to alignment and one that leads nowhere.
pub(crate) const PAGES: u64 = TABLE_PAGES + 2;

/// The entry is valid, and so is its translation.
const VALID: u64 = 0b11;
const READ_WRITE: u64 = 0b11 << 61;

/// The tables of a segment.
#[derive(Debug)]
pub(crate) struct SegmentTables {
    table: u64,
    usual: u64,
    /// The entry of functions that reach nothing. It has a table all the same, and no right to use it: an entry without
    /// a table would let accesses pass untranslated in QEMU.
    withheld: u64,
    /// Functions that are withheld.
    ids: Vec<u16>,
}

impl SegmentTables {
    pub fn new(
        memory: &mut impl TableMemory,
        frames: &mut Frames,
        domain: &Domain,
    ) -> Result<Self, NoFrames> {
        let mode = u64::from(domain.shape().levels) << 9;
        let nowhere = frames.take(1, 1)?;
        for place in (nowhere..nowhere + PAGE_BYTES).step_by(8) {
            memory.write(place, 1 << 9);
        }
        let segment = Self {
            table: frames.take(TABLE_PAGES, 1)?,
            usual: domain.top() | mode | VALID | READ_WRITE,
            withheld: nowhere | mode | VALID,
            ids: Vec::new(),
        };
        for id in 0..=u16::MAX {
            let place = segment.place(id);
            // Interrupts pass as they are (IV is 0), and so do those that have pins of their own.
            for (at, word) in [segment.usual, DOMAIN, 0, 0].into_iter().enumerate() {
                memory.write(place + at as u64 * 8, word);
            }
        }
        Ok(segment)
    }

    pub fn root(&self) -> u64 {
        self.table | TABLE_SIZE
    }

    fn place(&self, id: u16) -> u64 {
        self.table + u64::from(id) * ENTRY_BYTES
    }

    /// Withholds no function.
    pub fn permit_all(&mut self, memory: &mut impl TableMemory) {
        for id in core::mem::take(&mut self.ids) {
            memory.write(self.place(id), self.usual);
        }
    }

    /// Withholds the function with this bus and number.
    pub fn withhold(&mut self, memory: &mut impl TableMemory, id: u16) {
        memory.write(self.place(id), self.withheld);
        self.ids.push(id);
    }
}
