//! The shared region: real memory, laid out by the kernels' own code.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use sharedmem::SharedRegion;
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::protection::{ProtectionState, ProtectionWord};

/// A part of the shared region, by who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The epoch word, which the monitor writes.
    Epoch,
    /// This word of the ring: part of a record, which the primary writes.
    Ring(usize),
    /// The cursors that say what is a record, which the primary writes.
    Cursors,
    /// The word that says which record is being applied, which the primary writes.
    Applying,
    /// The protection word, which the monitor writes, and the primary by exchange.
    Protection,
    /// Anything else.
    Other,
}

/// Memory that holds a shared region.
pub struct Memory {
    /// The region, as the kernels see it.
    pub region: SharedRegion,
    block: Block,
}

impl Memory {
    /// Makes a region with a ring of `journal_bytes`.
    ///
    /// # Panics
    /// There is no memory, or the ring is too small for a journal.
    pub fn new(journal_bytes: usize, salt: u64) -> Self {
        let block = Block::new(CONTROL_BYTES + journal_bytes);
        Self {
            region: block.region(salt),
            block,
        }
    }

    /// Returns the address at which the region begins.
    pub fn start(&self) -> usize {
        self.block.address.addr()
    }

    /// Returns the word at an offset. No kernel makes this access.
    ///
    /// # Panics
    /// There is no word at this offset.
    pub fn word_at(&self, offset: usize) -> u64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.block.layout.size());
        // SAFETY: within the memory, aligned, and reached by atomics only.
        unsafe { &*self.block.address.add(offset).cast::<AtomicU64>() }.load(Ordering::Relaxed)
    }

    /// Returns the ring's word `index`. No kernel makes this access.
    pub fn ring_word(&self, index: usize) -> u64 {
        unobserved(&self.region.journal[index]).load(Ordering::Relaxed)
    }

    /// Returns whether the protection word says `state`. No kernel makes this access.
    pub fn protection_is(&self, state: ProtectionState) -> bool {
        let word = ptr::from_ref::<ProtectionWord>(&self.region.control.protection);
        // SAFETY: the word is one atomic of 64 bits, which `sharedmem` promises as the layout of the shared region.
        let word = unsafe { &*word.cast::<AtomicU64>() };
        word.load(Ordering::Relaxed) == state as u64
    }

    /// Clears the control block and lays it out again, as the monitor does after a reset. The ring stays as it is.
    ///
    /// # Panics
    /// The ring is too small for a journal.
    pub fn clear_control(&self, salt: u64) {
        for offset in (0..CONTROL_BYTES).step_by(8) {
            // SAFETY: within the memory, aligned, and reached by atomics only.
            unsafe { &*self.block.address.add(offset).cast::<AtomicU64>() }
                .store(0, Ordering::Relaxed);
        }
        self.block.region(salt);
    }

    /// Returns the part of the region that an address is in.
    pub fn part_at(&self, address: usize) -> Part {
        let control = self.region.control;
        let journal = &control.journal;
        let is_in = |start: usize, bytes: usize| (start..start + bytes).contains(&address);
        let is_cursor = [
            ptr::from_ref(&journal.reserved).addr(),
            ptr::from_ref(&journal.applied).addr(),
        ]
        .iter()
        .any(|start| is_in(*start, 16));
        let ring = self.region.journal;
        if is_in(ptr::from_ref(&control.epoch).addr(), 8) {
            Part::Epoch
        } else if is_in(ptr::from_ref(&journal.applying).addr(), 8) {
            Part::Applying
        } else if is_in(ptr::from_ref(&control.protection).addr(), 8) {
            Part::Protection
        } else if is_in(ring.as_ptr().addr(), size_of_val(ring)) {
            Part::Ring((address - ring.as_ptr().addr()) / 8)
        } else if is_cursor {
            Part::Cursors
        } else {
            Part::Other
        }
    }
}

/// Returns the word that a kernel's word wraps. Accesses to it take no time, and the observer does not see them.
pub fn unobserved(word: &sharedmem::sync::AtomicU64) -> &AtomicU64 {
    // SAFETY: the one is a transparent wrapper of the other, which `sharedmem` promises with the feature `observed`.
    unsafe { &*ptr::from_ref(word).cast() }
}

/// A block of zeroed memory, aligned to a page.
struct Block {
    address: *mut u8,
    layout: Layout,
}

impl Block {
    fn new(bytes: usize) -> Self {
        let layout =
            Layout::from_size_align(bytes, 4096).expect("a region has a size that memory can have");
        // SAFETY: the layout is not empty.
        let address = unsafe { alloc_zeroed(layout) };
        assert!(!address.is_null(), "no memory for the shared region");
        Self { address, layout }
    }

    /// Lays out a region in the block. It must not be used after the block is dropped: [`Memory`] holds both, and
    /// [`World`](crate::world::World) drops its memory last.
    fn region(&self, salt: u64) -> SharedRegion {
        // SAFETY: the control block is zeroed, the memory is aligned to a page and reached by atomics only, and it
        // outlives its users.
        unsafe { SharedRegion::create(self.address, self.layout.size() as u64, salt) }
            .expect("the ring is large enough")
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, and nobody uses the region any more.
        unsafe { dealloc(self.address, self.layout) };
    }
}
