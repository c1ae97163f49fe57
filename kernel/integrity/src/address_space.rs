//! What of an address space must not change: its page tables, and what it maps without write permission.
//!
//! The tables may be hostile: their number and depth have bounds, and none outside of the owner's memory is followed.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::Ordering;

use crate::memory::{Memory, PAGE_BYTES, Piece};

/// Bits of an entry (Intel SDM vol. 3A, 4.5.4): it is there; it may be written through; it maps a large page.
const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Entries of a table.
const ENTRIES: u16 = 512;

/// Levels of tables, from the top.
const LEVELS: u32 = 4;

/// Maximum number of tables: those of 8 GiB in small pages.
const TABLES_MAX: usize = 4096;

/// Maximum number of pages without write permission: 256 MiB.
const PAGES_MAX: u64 = 64 << 10;

/// Maximum number of ranges that these pages make.
const RANGES_MAX: usize = 8192;

/// Why an address space cannot be looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// A table lies outside of the owner's memory, at this physical address.
    Foreign(u64),
    /// It has more tables than can be.
    TooManyTables,
    /// It maps more without write permission than can be looked after, or in too many places.
    TooManyPages,
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(address) => write!(
                f,
                "a page table is at {address:#x}, which is not the instance's memory"
            ),
            Self::TooManyTables => write!(f, "there are more than {TABLES_MAX} page tables"),
            Self::TooManyPages => write!(
                f,
                "more than {} MiB, or {RANGES_MAX} ranges, are mapped without write permission",
                (PAGES_MAX * PAGE_BYTES) >> 20
            ),
        }
    }
}

/// Returns the pieces of the address space whose top table is at physical address `root`, as far as these `entries` of
/// it go. What is mapped outside of the owner's memory is left out.
///
/// # Errors
/// The tables cannot be right.
pub fn constant_pieces(
    memory: &mut impl Memory,
    root: u64,
    entries: Range<u16>,
) -> Result<Vec<Piece>, WalkError> {
    let mut walk = Walk {
        memory,
        tables: Vec::new(),
        seen: BTreeSet::new(),
        leaves: Vec::new(),
        pages: 0,
    };
    walk.table(root & ADDRESS, entries, LEVELS, true)?;
    let mut pieces = walk.tables;
    let leaves = walk.leaves.iter();
    pieces.extend(
        leaves.map(|range| Piece::of_pages(range.start, (range.end - range.start) / PAGE_BYTES)),
    );
    Ok(pieces)
}

struct Walk<'a, M> {
    memory: &'a mut M,
    tables: Vec<Piece>,
    /// Tables that were taken: level, address, whether the entries above permit writing. A table may be in several
    /// places; Linux has some in thousands.
    seen: BTreeSet<(u32, u64, bool)>,
    /// What cannot be written to, in order, without overlaps.
    leaves: Vec<Range<u64>>,
    pages: u64,
}

impl<M: Memory> Walk<'_, M> {
    /// Takes a table and everything below it. `is_writable` says whether the entries above permit writing.
    fn table(
        &mut self,
        table: u64,
        entries: Range<u16>,
        level: u32,
        is_writable: bool,
    ) -> Result<(), WalkError> {
        if !self.memory.owns(table, PAGE_BYTES) {
            return Err(WalkError::Foreign(table));
        }
        if self.seen.len() == TABLES_MAX {
            return Err(WalkError::TooManyTables);
        }
        if !self.seen.insert((level, table, is_writable)) {
            return Ok(());
        }
        self.tables.push(Piece::of_table(table, entries.clone()));
        for index in entries {
            let page = self.memory.page(table).ok_or(WalkError::Foreign(table))?;
            let entry = page[usize::from(index)].load(Ordering::Relaxed);
            if entry & PRESENT == 0 {
                continue;
            }
            let is_writable = is_writable && entry & WRITABLE != 0;
            let is_leaf = level == 1 || (level < LEVELS && entry & LARGE != 0);
            match (is_leaf, is_writable) {
                (false, _) => self.table(entry & ADDRESS, 0..ENTRIES, level - 1, is_writable)?,
                (true, false) => self.leaf(entry & ADDRESS, level)?,
                (true, true) => {}
            }
        }
        Ok(())
    }

    /// Takes a page of the size of this level that cannot be written to.
    fn leaf(&mut self, address: u64, level: u32) -> Result<(), WalkError> {
        let bytes = PAGE_BYTES << (9 * (level - 1));
        // In a large page, the lowest bit of the address is an attribute of its memory type.
        let start = address & !(bytes - 1);
        if !self.memory.owns(start, bytes) {
            return Ok(());
        }
        let mut range = start..start + bytes;
        // All ranges that it touches become one with it.
        let from = self.leaves.partition_point(|it| it.end < range.start);
        let to = self.leaves.partition_point(|it| it.start <= range.end);
        let touched = &self.leaves[from..to];
        let before: u64 = touched.iter().map(|it| it.end - it.start).sum();
        if let (Some(first), Some(last)) = (touched.first(), touched.last()) {
            range = range.start.min(first.start)..range.end.max(last.end);
        }
        self.pages += (range.end - range.start - before) / PAGE_BYTES;
        self.leaves.splice(from..to, [range]);
        match self.pages > PAGES_MAX || self.leaves.len() > RANGES_MAX {
            true => Err(WalkError::TooManyPages),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::memory::Page;
    use core::sync::atomic::AtomicU64;
    use std::boxed::Box;

    /// Memory from address 0 on. Behind it is another's, which can be seen as well.
    pub(crate) struct FakeMemory {
        pages: Vec<Box<Page>>,
        foreign: Box<Page>,
        /// A page that cannot be seen.
        pub(crate) hidden: Option<u64>,
    }

    impl FakeMemory {
        pub(crate) fn new(pages: usize) -> Self {
            let page = || Box::new([const { AtomicU64::new(0) }; ENTRIES as usize]);
            Self {
                pages: (0..pages).map(|_| page()).collect(),
                foreign: page(),
                hidden: None,
            }
        }

        pub(crate) fn flip(&mut self, address: u64, bit: u32) {
            let page = &self.pages[(address / PAGE_BYTES) as usize];
            page[(address % PAGE_BYTES / 8) as usize].fetch_xor(1 << bit, Ordering::Relaxed);
        }

        fn set(&mut self, table: u64, index: u64, entry: u64) {
            let page = &self.pages[(table / PAGE_BYTES) as usize];
            page[index as usize].store(entry, Ordering::Relaxed);
        }
    }

    impl Memory for FakeMemory {
        fn owns(&self, start: u64, bytes: u64) -> bool {
            start + bytes <= self.pages.len() as u64 * PAGE_BYTES
        }

        fn page(&mut self, address: u64) -> Option<&Page> {
            assert!(address.is_multiple_of(PAGE_BYTES));
            if self.hidden == Some(address) {
                return None;
            }
            let owned = self.pages.get((address / PAGE_BYTES) as usize);
            Some(owned.unwrap_or(&self.foreign))
        }
    }

    const TABLE: u64 = PRESENT | WRITABLE;

    #[test]
    fn tables_and_what_cannot_be_written_to_are_found() {
        let mut memory = FakeMemory::new(1024);
        // Top at 0x1000, then 0x2000, 0x3000, 0x4000.
        memory.set(0x1000, 300, 0x2000 | TABLE);
        memory.set(0x1000, 2, 0xdead_0000 | TABLE);
        memory.set(0x2000, 1, 0x3000 | TABLE);
        memory.set(0x3000, 0, 0x4000 | TABLE);
        // 2 MiB, with the bit of the memory type.
        memory.set(0x3000, 1, 0x20_1000 | PRESENT | LARGE);
        memory.set(0x3000, 2, 0x20_0000 | PRESENT | LARGE | WRITABLE);
        // Not there, whatever else it says.
        memory.set(0x3000, 3, 0xdead_0000);
        memory.set(0x4000, 0, 0x5000 | PRESENT);
        memory.set(0x4000, 1, 0x6000 | PRESENT);
        memory.set(0x4000, 2, 0x7000 | PRESENT | WRITABLE);
        memory.set(0x4000, 3, 0xdead_0000 | PRESENT);
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 256..512).unwrap(),
            [
                Piece::of_table(0x1000, 256..512),
                Piece::of_table(0x2000, 0..512),
                Piece::of_table(0x3000, 0..512),
                Piece::of_table(0x4000, 0..512),
                Piece::of_pages(0x5000, 2),
                Piece::of_pages(0x20_0000, 512),
            ]
        );
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512),
            Err(WalkError::Foreign(0xdead_0000))
        );
    }

    #[test]
    fn a_page_below_an_entry_without_write_permission_cannot_be_written_to() {
        let mut memory = FakeMemory::new(6);
        memory.set(0x1000, 0, 0x2000 | TABLE);
        memory.set(0x2000, 0, 0x3000 | PRESENT);
        memory.set(0x3000, 0, 0x4000 | TABLE);
        memory.set(0x4000, 0, 0x5000 | PRESENT | WRITABLE);
        let pieces = constant_pieces(&mut memory, 0x1000, 0..512).unwrap();
        assert_eq!(pieces.last(), Some(&Piece::of_pages(0x5000, 1)));
    }

    #[test]
    fn a_table_or_a_page_in_several_places_is_taken_once() {
        let mut memory = FakeMemory::new(1024);
        // The same tables in every entry: 512^3 ways to the last, and there 512 to one page.
        for (table, entry) in [
            (0x1000, 0x2000 | TABLE),
            (0x2000, 0x3000 | TABLE),
            (0x3000, 0x4000 | TABLE),
            (0x4000, 0x9000 | PRESENT),
        ] {
            (0..512).for_each(|index| memory.set(table, index, entry));
        }
        // Ranges that grow to each side, become one, and lie in one another.
        let pages = [0xd000, 0xb000, 0xc000, 0xa000, 0xf000, 0xb000];
        for (index, page) in (1..).zip(pages) {
            memory.set(0x4000, index, page | PRESENT);
        }
        memory.set(0x3000, 1, 0x20_0000 | PRESENT | LARGE);
        memory.set(0x4000, 100, 0x20_5000 | PRESENT);
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512).unwrap()[4..],
            [
                Piece::of_pages(0x9000, 5),
                Piece::of_pages(0xf000, 1),
                Piece::of_pages(0x20_0000, 512),
            ]
        );
    }

    #[test]
    fn hostile_tables_end() {
        // A table that is its own child, in every entry: 512^4 ways.
        let mut memory = FakeMemory::new(2);
        for index in 0..512 {
            memory.set(0x1000, index, 0x1000 | TABLE);
        }
        let pieces = constant_pieces(&mut memory, 0x1000, 0..512).unwrap();
        assert_eq!(pieces.len(), 4, "one for each level");
        // More tables than can be.
        let mut memory = FakeMemory::new(TABLES_MAX + 3);
        memory.set(0x1000, 0, 0x2000 | TABLE);
        for table in 0..TABLES_MAX as u64 {
            let of = 0x2000 + table / 512 * 0x1000;
            memory.set(of, table % 512, (0x3000 + table * 0x1000) | TABLE);
        }
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512),
            Err(WalkError::TooManyTables)
        );
        // More ranges than can be: every second page.
        let mut memory = FakeMemory::new(2 * RANGES_MAX + 64);
        memory.set(0x1000, 0, 0x2000 | TABLE);
        memory.set(0x2000, 0, 0x3000 | TABLE);
        for page in 0..=RANGES_MAX as u64 {
            let table = 0x4000 + page / 512 * 0x1000;
            memory.set(0x3000, page / 512, table | TABLE);
            memory.set(table, page % 512, (page * 0x2000) | PRESENT);
        }
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512),
            Err(WalkError::TooManyPages)
        );
        // More pages than can be: 1 GiB.
        let mut memory = Wide(FakeMemory::new(4));
        memory.0.set(0x1000, 0, 0x2000 | TABLE);
        memory.0.set(0x2000, 0, 0x4000_0000 | PRESENT | LARGE);
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512),
            Err(WalkError::TooManyPages)
        );
        memory.0.hidden = Some(0x2000);
        assert_eq!(
            constant_pieces(&mut memory, 0x1000, 0..512),
            Err(WalkError::Foreign(0x2000))
        );
        assert_eq!(
            constant_pieces(&mut memory.0, u64::MAX, 0..512),
            Err(WalkError::Foreign(ADDRESS))
        );
    }

    /// Memory all of which is its owner's, though not all of it is there.
    struct Wide(FakeMemory);

    impl Memory for Wide {
        fn owns(&self, _: u64, _: u64) -> bool {
            true
        }

        fn page(&mut self, address: u64) -> Option<&Page> {
            self.0.page(address)
        }
    }
}
