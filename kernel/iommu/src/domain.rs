//! Which memory devices reach: the page tables of each owner, and the one top table that shows hardware one of them, or
//! none.
//!
//! ```text
//!   every function -> top table -+-> tables of owner 0
//!                                +-> tables of owner 1
//!                                `-> nothing
//! ```
//!
//! The lower tables are made once. A change of owner changes the entries of the top table that either owner uses: one
//! for each 512 GiB with four levels, one for each GiB with three.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory, Tables};

/// Entries of a table.
const ENTRIES: u64 = 512;

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Second-stage tables (VT-d 4.1, 9.8).
    Intel,
    /// Host page tables (AMD-Vi 3.07, 2.2.3).
    Amd,
}

impl Format {
    /// Returns the entry that leads nowhere. AMD's ignores all bits but the lowest; the level in it makes QEMU, which
    /// takes a word of zeros for a table that it cannot read, log the access.
    const fn absent(self) -> u64 {
        match self {
            Self::Intel => 0,
            Self::Amd => 1 << 9,
        }
    }

    /// Returns the entry at `level` that leads to a table of the level below.
    fn table(self, address: u64, level: u32) -> u64 {
        match self {
            Self::Intel => address | 0b11,
            Self::Amd => address | u64::from(level - 1) << 9 | AMD_READ_WRITE | 1,
        }
    }

    /// Returns the entry at `level` that is a page, for reading and writing.
    fn page(self, address: u64, level: u32) -> u64 {
        match (self, level) {
            (Self::Intel, 1) => address | 0b11,
            (Self::Intel, _) => address | 1 << 7 | 0b11,
            (Self::Amd, _) => address | AMD_READ_WRITE | 1,
        }
    }

    fn is_present(self, entry: u64) -> bool {
        entry & 1 != 0
    }

    fn is_page(self, entry: u64, level: u32) -> bool {
        match self {
            Self::Intel => level == 1 || entry & 1 << 7 != 0,
            Self::Amd => entry >> 9 & 7 == 0,
        }
    }
}

/// Bits IR and IW of AMD's entries.
const AMD_READ_WRITE: u64 = 0b11 << 61;

/// The address in an entry.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What all units understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How entries are written.
    pub format: Format,
    /// Levels of tables: 3 or 4.
    pub levels: u32,
    /// The level up to which an entry may be a page: 1 (4 KiB), 2 (2 MiB), 3 (1 GiB).
    pub page_level: u32,
    /// Whether all look into caches.
    pub is_coherent: bool,
}

impl Shape {
    /// Returns the first address that no device reaches.
    pub fn end(&self) -> u64 {
        entry_bytes(self.levels + 1)
    }

    /// Returns how many tables the ranges of one owner take at most, the top one left out.
    pub fn tables_max(&self, ranges: &[Range<u64>]) -> u64 {
        let of_range = |range: &Range<u64>| -> u64 {
            // A table of a level is needed for each of its stretches that is not covered by larger pages. If larger
            // pages are possible, only the two ends need it.
            let of_level = |level| {
                let bytes = entry_bytes(level + 1);
                let stretches = range.end.div_ceil(bytes) - range.start / bytes;
                match level < self.page_level {
                    true => stretches.min(2),
                    false => stretches,
                }
            };
            (1..self.levels).map(of_level).sum()
        };
        ranges.iter().map(of_range).sum()
    }
}

/// Returns how many bytes an entry of a table of this level stands for.
const fn entry_bytes(level: u32) -> u64 {
    PAGE_BYTES << (9 * (level - 1))
}

/// The page tables of all owners.
#[derive(Debug)]
pub struct Domain {
    shape: Shape,
    top: u64,
    /// What each owner has in the top table.
    owners: Vec<BTreeMap<u64, u64>>,
}

impl Domain {
    /// Makes the tables in which each owner's devices reach its ranges, each byte at its own address. The top table
    /// shows nothing.
    ///
    /// # Errors
    /// `frames` are too few.
    ///
    /// # Panics
    /// A range ends behind [`Shape::end`].
    pub fn new(
        memory: &mut impl TableMemory,
        frames: &mut Frames,
        shape: Shape,
        owners: &[Vec<Range<u64>>],
    ) -> Result<Self, NoFrames> {
        let is_coherent = shape.is_coherent;
        let mut builder = Builder {
            tables: Tables {
                memory,
                is_coherent,
            },
            frames,
            shape,
        };
        let top = builder.table()?;
        let mut tops = Vec::new();
        for ranges in owners {
            let scratch = builder.table()?;
            for range in ranges {
                assert!(range.end <= shape.end(), "{range:x?} is out of reach");
                builder.map(scratch, shape.levels, range.clone())?;
            }
            let mut entries = BTreeMap::new();
            for index in 0..ENTRIES {
                let entry = builder.tables.memory.read(scratch + index * 8);
                if shape.format.is_present(entry) {
                    entries.insert(index, entry);
                }
            }
            tops.push(entries);
        }
        Ok(Self {
            shape,
            top,
            owners: tops,
        })
    }

    /// Returns the physical address of the top table.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Returns the shape of the tables.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Lets devices reach nothing, once caches are invalidated.
    pub fn deny(&self, memory: &mut impl TableMemory) {
        self.show(memory, |_| None);
    }

    /// Lets devices reach the memory of `owner`, and no other, once caches are invalidated.
    pub fn grant(&self, memory: &mut impl TableMemory, owner: usize) {
        self.show(memory, |index| self.owners[owner].get(&index).copied());
    }

    fn show(&self, memory: &mut impl TableMemory, entry: impl Fn(u64) -> Option<u64>) {
        let is_coherent = self.shape.is_coherent;
        let mut tables = Tables {
            memory,
            is_coherent,
        };
        for index in self.owners.iter().flat_map(|owner| owner.keys()) {
            let value = entry(*index).unwrap_or(self.shape.format.absent());
            tables.set(self.top + index * 8, value);
        }
    }
}

struct Builder<'a, M> {
    tables: Tables<'a, M>,
    frames: &'a mut Frames,
    shape: Shape,
}

impl<M: TableMemory> Builder<'_, M> {
    /// Makes an empty table.
    fn table(&mut self) -> Result<u64, NoFrames> {
        let table = self.frames.take(1, 1)?;
        self.tables
            .fill(table, PAGE_BYTES, self.shape.format.absent());
        Ok(table)
    }

    /// Maps a range in a table of `level`, in the largest pages that fit. What is mapped already stays.
    fn map(&mut self, table: u64, level: u32, range: Range<u64>) -> Result<(), NoFrames> {
        let (format, bytes) = (self.shape.format, entry_bytes(level));
        let mut start = range.start;
        while start < range.end {
            let whole = start / bytes * bytes..(start / bytes + 1) * bytes;
            let part = start..range.end.min(whole.end);
            let place = table + start / bytes % ENTRIES * 8;
            let entry = self.tables.memory.read(place);
            let is_present = format.is_present(entry);
            if level == 1 || part == whole && level <= self.shape.page_level {
                self.tables.set(place, format.page(whole.start, level));
            } else if !is_present {
                let below = self.table()?;
                self.tables.set(place, format.table(below, level));
                self.map(below, level - 1, part.clone())?;
            } else if !format.is_page(entry, level) {
                self.map(entry & ADDRESS, level - 1, part.clone())?;
            }
            start = part.end;
        }
        Ok(())
    }
}
