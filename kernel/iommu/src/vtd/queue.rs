//! Invalidation by a queue in memory (6.5.2).

use crate::memory::{Frames, NoFrames, PAGE_BYTES, TableMemory, Tables};
use crate::unit::{Registers, Stuck, wait};

const HEAD: u64 = 0x80;
const TAIL: u64 = 0x88;
const ADDRESS: u64 = 0x90;

/// Descriptors (6.5.2): types, and everything as what is to be forgotten.
const CONTEXT: u64 = 1 | 1 << 4;
const IOTLB: u64 = 2 | 1 << 4;
const IOTLB_DRAIN_WRITES: u64 = 1 << 6;
const IOTLB_DRAIN_READS: u64 = 1 << 7;
/// Writes a word when all before is done.
const WAIT: u64 = 5 | 1 << 5;

const DESCRIPTOR_BYTES: u64 = 16;

/// A queue of one page, and a page for the word that waits are answered with.
#[derive(Debug)]
pub(super) struct Queue {
    descriptors: u64,
    answer: u64,
    tail: u64,
    number: u32,
}

impl Queue {
    pub fn new(frames: &mut Frames) -> Result<Self, NoFrames> {
        Ok(Self {
            descriptors: frames.take(1, 1)?,
            answer: frames.take(1, 1)?,
            tail: 0,
            number: 0,
        })
    }

    /// Gives the queue, empty, to the unit. The unit's queue is off, so its head is at the beginning.
    pub fn begin(
        &mut self,
        registers: &mut impl Registers,
        memory: &mut impl TableMemory,
        is_coherent: bool,
    ) {
        let mut tables = Tables {
            memory,
            is_coherent,
        };
        tables.fill(self.descriptors, PAGE_BYTES, 0);
        tables.set(self.answer, 0);
        self.tail = 0;
        self.number = 0;
        registers.write64(TAIL, 0);
        registers.write64(ADDRESS, self.descriptors);
    }

    /// Puts the order to forget everything into the queue.
    pub fn put(
        &mut self,
        memory: &mut impl TableMemory,
        is_coherent: bool,
        (drains_reads, drains_writes): (bool, bool),
    ) {
        self.number = self.number.wrapping_add(1);
        let drain = |bit, does| if does { bit } else { 0 };
        let drains =
            drain(IOTLB_DRAIN_READS, drains_reads) | drain(IOTLB_DRAIN_WRITES, drains_writes);
        let mut tables = Tables {
            memory,
            is_coherent,
        };
        let answer = self.answer;
        for descriptor in [
            [CONTEXT, 0],
            [IOTLB | drains, 0],
            [WAIT | u64::from(self.number) << 32, answer],
        ] {
            for (word, at) in descriptor.into_iter().zip([0, 8]) {
                tables.set(self.descriptors + self.tail + at, word);
            }
            self.tail = (self.tail + DESCRIPTOR_BYTES) % PAGE_BYTES;
        }
    }

    /// Lets the unit carry out what was put, and waits until it has.
    pub fn run(
        &mut self,
        registers: &mut impl Registers,
        memory: &mut impl TableMemory,
    ) -> Result<(), Stuck> {
        registers.write64(TAIL, self.tail);
        wait("forget contexts and translations", || {
            memory.read(self.answer) as u32 == self.number && registers.read64(HEAD) == self.tail
        })
    }
}
