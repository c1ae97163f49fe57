//! Commands by a list in memory (2.4).

use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory, Tables};
use crate::unit::{Change, Registers, Stuck, wait};

const BASE: u64 = 0x08;
const EXTENDED_FEATURES: u64 = 0x30;
const HEAD: u64 = 0x2000;
const TAIL: u64 = 0x2008;

const COMMAND_BYTES: u64 = 16;
/// A list of one page: 256 commands.
const LENGTH_256: u64 = 8 << 56;
/// The feature INVALIDATE_IOMMU_ALL (3.4.4).
const HAS_INVALIDATE_ALL: u64 = 1 << 6;

/// Commands (2.4.1 to 2.4.8).
const COMPLETION_WAIT_STORE: u64 = 1 << 60 | 1;
const INVALIDATE_DEVICE: u64 = 2 << 60;
const INVALIDATE_PAGES: u64 = 3 << 60 | super::tables::DOMAIN << 32;
/// All pages, and the entries that lead to tables.
const ALL_PAGES: u64 = 0x7fff_ffff_ffff_f000 | 0b11;
const INVALIDATE_ALL: u64 = 8 << 60;

/// How many commands are given at once at most: fewer than the list has room for.
const BATCH: usize = 128;

/// A list of one page, and a page for the word that waits are answered with.
#[derive(Debug)]
pub(super) struct Commands {
    list: u64,
    answer: u64,
    tail: u64,
    number: u64,
    can_invalidate_all: bool,
}

impl Commands {
    pub fn new(frames: &mut Frames) -> Result<Self, NoFrames> {
        Ok(Self {
            list: frames.take(1, 1)?,
            answer: frames.take(1, 1)?,
            tail: 0,
            number: 0,
            can_invalidate_all: false,
        })
    }

    /// Gives the list, empty, to the unit, which uses none now.
    pub fn begin(&mut self, registers: &mut impl Registers, memory: &mut impl TableMemory) {
        let mut tables = Tables {
            memory,
            is_coherent: true,
        };
        tables.fill(self.list, PAGE_BYTES, 0);
        tables.set(self.answer, 0);
        (self.tail, self.number) = (0, 0);
        let features = registers.read64(EXTENDED_FEATURES);
        self.can_invalidate_all = features & HAS_INVALIDATE_ALL != 0;
        registers.write64(BASE, self.list | LENGTH_256);
        registers.write64(HEAD, 0);
        registers.write64(TAIL, 0);
    }

    /// Lets the unit forget what changed.
    pub fn invalidate(
        &mut self,
        registers: &mut impl Registers,
        memory: &mut impl TableMemory,
        change: Change<'_>,
    ) -> Result<(), Stuck> {
        match change {
            Change::Root if self.can_invalidate_all => {
                self.put(memory, [INVALIDATE_ALL, 0]);
                return self.run(registers, memory);
            }
            Change::Root => self.forget_functions(registers, memory, 0..=u16::MAX)?,
            Change::Functions(ids) => {
                self.forget_functions(registers, memory, ids.iter().copied())?;
            }
            Change::Pages => {}
        }
        self.put(memory, [INVALIDATE_PAGES, ALL_PAGES]);
        self.run(registers, memory)
    }

    fn forget_functions(
        &mut self,
        registers: &mut impl Registers,
        memory: &mut impl TableMemory,
        ids: impl Iterator<Item = u16>,
    ) -> Result<(), Stuck> {
        for (index, id) in ids.enumerate() {
            self.put(memory, [INVALIDATE_DEVICE | u64::from(id), 0]);
            if index % BATCH == BATCH - 1 {
                self.run(registers, memory)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, memory: &mut impl TableMemory, command: [u64; 2]) {
        memory.write(self.list + self.tail, command[0]);
        memory.write(self.list + self.tail + 8, command[1]);
        self.tail = (self.tail + COMMAND_BYTES) % PAGE_BYTES;
    }

    /// Lets the unit carry out what was put, and waits until it has.
    fn run(
        &mut self,
        registers: &mut impl Registers,
        memory: &mut impl TableMemory,
    ) -> Result<(), Stuck> {
        self.number += 1;
        let (answer, number) = (self.answer, self.number);
        self.put(memory, [COMPLETION_WAIT_STORE | answer, number]);
        registers.write64(TAIL, self.tail);
        wait("forget device entries and pages", || {
            memory.read(answer) == number
        })
    }
}
