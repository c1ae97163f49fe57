//! A test double of this crate's trait, for its own tests and those of others: enabled by the feature `testing`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::PhysicalMemory;

/// Physical memory that consists of a few pieces, and counts how often it is read. Between the pieces nothing can be
/// read.
#[derive(Clone, Debug, Default)]
pub struct FakeMemory {
    /// The pieces, by address.
    pub pieces: BTreeMap<u64, Vec<u8>>,
    reads: Cell<u64>,
}

impl FakeMemory {
    /// Returns the memory with `bytes` at `address`.
    pub fn with(mut self, address: u64, bytes: &[u8]) -> Self {
        self.put(address, bytes);
        self
    }

    /// Puts a piece down. Pieces must not overlap.
    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        self.pieces.insert(address, bytes.to_vec());
    }

    /// Returns how often the memory was read since the last call.
    pub fn take_reads(&self) -> u64 {
        self.reads.take()
    }
}

impl PhysicalMemory for FakeMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.reads.set(self.reads.get() + 1);
        let Some((start, piece)) = self.pieces.range(..=address).next_back() else {
            return false;
        };
        let found = usize::try_from(address - start)
            .ok()
            .and_then(|offset| piece.get(offset..)?.get(..buffer.len()));
        if let Some(bytes) = found {
            buffer.copy_from_slice(bytes);
        }
        found.is_some()
    }
}
