//! Root and context tables (9.1, 9.3): which tables belong to which function. All functions have the same, but those
//! that are withheld.

use crate::domain::Domain;
use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory, Tables};

/// How many buses may have functions that are withheld one by one. On further buses all functions are withheld.
pub(crate) const SPARE_TABLES: u64 = 32;

/// Pages that a segment takes.
pub(crate) const PAGES: u64 = 2 + SPARE_TABLES;

const ENTRY_BYTES: u64 = 16;
const PRESENT: u64 = 1;
/// The number of the one domain, in the upper half of an entry. Number 0 is kept for the unit in caching mode.
const DOMAIN: u64 = 1 << 8;

/// The tables of a segment.
#[derive(Debug)]
pub(crate) struct SegmentTables {
    root: u64,
    /// The context table of all buses without a withheld function.
    usual: u64,
    spare: u64,
    used: u64,
    entry: [u64; 2],
    is_coherent: bool,
}

impl SegmentTables {
    pub fn new(
        memory: &mut impl TableMemory,
        frames: &mut Frames,
        domain: &Domain,
    ) -> Result<Self, NoFrames> {
        let shape = domain.shape();
        let mut segment = Self {
            root: frames.take(1, 1)?,
            usual: frames.take(1, 1)?,
            spare: frames.take(SPARE_TABLES, 1)?,
            used: 0,
            // 2 stands for three levels less one, as in the hardware's table of widths.
            entry: [domain.top() | PRESENT, DOMAIN | u64::from(shape.levels - 2)],
            is_coherent: shape.is_coherent,
        };
        segment.fill(memory, segment.usual);
        segment.permit_all(memory);
        Ok(segment)
    }

    pub fn root(&self) -> u64 {
        self.root
    }

    fn tables<'a, M>(&self, memory: &'a mut M) -> Tables<'a, M> {
        Tables {
            memory,
            is_coherent: self.is_coherent,
        }
    }

    /// Fills a context table with the usual entry.
    fn fill(&self, memory: &mut impl TableMemory, table: u64) {
        let mut tables = self.tables(memory);
        for entry in (table..table + PAGE_BYTES).step_by(ENTRY_BYTES as usize) {
            tables.set(entry + 8, self.entry[1]);
            tables.set(entry, self.entry[0]);
        }
    }

    /// Withholds no function.
    pub fn permit_all(&mut self, memory: &mut impl TableMemory) {
        self.used = 0;
        let mut tables = self.tables(memory);
        for entry in (self.root..self.root + PAGE_BYTES).step_by(ENTRY_BYTES as usize) {
            tables.set(entry + 8, 0);
            tables.set(entry, self.usual | PRESENT);
        }
    }

    /// Withholds the function with this bus and number.
    pub fn withhold(&mut self, memory: &mut impl TableMemory, id: u16) {
        let [number, bus] = id.to_le_bytes().map(u64::from);
        let place = self.root + bus * ENTRY_BYTES;
        let table = match memory.read(place) & !(PAGE_BYTES - 1) {
            usual if usual == self.usual && self.used < SPARE_TABLES => {
                let own = self.spare + self.used * PAGE_BYTES;
                self.used += 1;
                self.fill(memory, own);
                self.tables(memory).set(place, own | PRESENT);
                own
            }
            usual if usual == self.usual => {
                self.tables(memory).set(place, 0);
                return;
            }
            // The whole bus is withheld.
            0 => return,
            own => own,
        };
        let mut tables = self.tables(memory);
        tables.set(table + number * ENTRY_BYTES, 0);
        tables.set(table + number * ENTRY_BYTES + 8, 0);
    }
}
