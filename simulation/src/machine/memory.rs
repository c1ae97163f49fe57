//! The shared region: real memory, laid out by the kernels' own code.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicU64, Ordering};

use sharedmem::SharedRegion;
use sharedmem::abi::CONTROL_BYTES;

/// Memory that holds a shared region.
pub struct Memory {
    address: *mut u8,
    layout: Layout,
}

impl Memory {
    /// Zeroed memory for a control block and a ring of `journal_bytes`.
    ///
    /// # Panics
    /// There is no memory, or a ring of that size cannot be.
    pub fn new(journal_bytes: usize) -> Self {
        let layout = Layout::from_size_align(CONTROL_BYTES + journal_bytes, 4096)
            .expect("a region has a size that memory can have");
        // SAFETY: the layout is not empty.
        let address = unsafe { alloc_zeroed(layout) };
        assert!(!address.is_null(), "no memory for the shared region");
        Self { address, layout }
    }

    /// Makes a region in it.
    ///
    /// # Panics
    /// The ring is too small for a journal.
    ///
    /// # Safety
    /// The region is used no longer than this lives.
    pub unsafe fn region(&self, salt: u64) -> SharedRegion {
        // SAFETY: the memory is zeroed, aligned to a page and reached by atomics only; the caller promises the rest.
        unsafe { SharedRegion::create(self.address, self.layout.size() as u64, salt) }
            .expect("the ring is large enough")
    }
}

impl Memory {
    /// Fills the control block with zeros, as the monitor does after a reset, and makes a region around the ring that is there. Nobody may be using it.
    ///
    /// # Panics
    /// The ring is too small for a journal.
    pub fn clear_control(&self, salt: u64) {
        for offset in (0..CONTROL_BYTES).step_by(8) {
            // SAFETY: within the memory, aligned, and reached by atomics only.
            unsafe { &*self.address.add(offset).cast::<AtomicU64>() }.store(0, Ordering::Relaxed);
        }
        // SAFETY: the region that is returned is dropped at once.
        unsafe { self.region(salt) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, and by the promise made in `region` nobody uses it any more.
        unsafe { dealloc(self.address, self.layout) };
    }
}
