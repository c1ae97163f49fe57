//! Physical memory as a boot finds it: a few pieces, and nothing between them.

use std::cell::Cell;
use std::collections::BTreeMap;

use partition::PhysicalMemory;

/// Memory that consists of pieces, and counts how often it is read.
#[derive(Default)]
pub struct Pieces {
    pieces: BTreeMap<u64, Vec<u8>>,
    reads: Cell<u64>,
}

impl Pieces {
    /// With `bytes` at `address`.
    pub fn with(mut self, address: u64, bytes: &[u8]) -> Self {
        self.put(address, bytes);
        self
    }

    /// Puts a piece down. Pieces do not overlap.
    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        self.pieces.insert(address, bytes.to_vec());
    }

    /// How often it was read since the last call.
    pub fn take_reads(&self) -> u64 {
        self.reads.take()
    }
}

impl PhysicalMemory for Pieces {
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
