//! The memory that tables lie in.

/// A page of memory, in bytes.
pub const PAGE_BYTES: u64 = 4096;

/// Memory of tables, by physical address, in words. Hardware reads it; nobody else writes there.
pub trait TableMemory {
    /// Returns the word at `address`, which hardware may have written.
    fn read(&mut self, address: u64) -> u64;

    /// Changes the word at `address`, at once.
    fn write(&mut self, address: u64, value: u64);

    /// Lets hardware that does not look into caches see the word at `address`.
    fn write_back(&mut self, address: u64);
}

/// Pages that are handed out, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    next: u64,
    end: u64,
}

/// There are no pages left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFrames;

impl Frames {
    /// Makes the supply of the pages between two page-aligned physical addresses.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// Hands out `pages` pages, at a multiple of as many bytes as `align_pages` have.
    ///
    /// # Errors
    /// There are not as many.
    pub fn take(&mut self, pages: u64, align_pages: u64) -> Result<u64, NoFrames> {
        let start = self.next.next_multiple_of(align_pages * PAGE_BYTES);
        let end = start + pages * PAGE_BYTES;
        if end > self.end {
            return Err(NoFrames);
        }
        self.next = end;
        Ok(start)
    }
}

/// Table memory, and whether hardware looks into caches.
pub(crate) struct Tables<'a, M> {
    pub memory: &'a mut M,
    pub is_coherent: bool,
}

impl<M: TableMemory> Tables<'_, M> {
    pub fn set(&mut self, address: u64, value: u64) {
        self.memory.write(address, value);
        if !self.is_coherent {
            self.memory.write_back(address);
        }
    }

    pub fn fill(&mut self, start: u64, bytes: u64, value: u64) {
        for address in (start..start + bytes).step_by(8) {
            self.set(address, value);
        }
    }
}
