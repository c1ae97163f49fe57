//! The heap: a TLSF allocator, which works in constant time, with a count of the bytes in use.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use rlsf::Tlsf;
use spin::Mutex;

/// The allocator: blocks of up to 64 GiB, in size classes at most 1/32 apart.
type Allocator = Tlsf<'static, u32, u32, 31, 32>;

/// A heap for use as a program's `#[global_allocator]`. Interrupt handlers must not allocate: the heap may be locked.
pub struct Heap {
    allocator: Mutex<Allocator>,
    used_bytes: AtomicUsize,
    size_bytes: AtomicUsize,
}

impl Heap {
    /// Makes a heap without memory.
    pub const fn empty() -> Self {
        Self {
            allocator: Mutex::new(Tlsf::new()),
            used_bytes: AtomicUsize::new(0),
            size_bytes: AtomicUsize::new(0),
        }
    }

    /// Gives `bytes` bytes at `start` to the heap.
    ///
    /// # Safety
    /// The memory is mapped and writable, and belongs to the heap alone from here on.
    pub unsafe fn give(&self, start: *mut u8, bytes: usize) {
        let mut allocator = self.allocator.lock();
        let (mut start, mut left) = (start, bytes);
        while let Some(pointer) =
            NonNull::new(ptr::slice_from_raw_parts_mut(start, left)).filter(|_| left > 4096)
        {
            // SAFETY: the caller gave this memory, and `start` lies behind what was already taken.
            let Some(taken) = (unsafe { allocator.insert_free_block_ptr(pointer) }) else {
                break;
            };
            start = start.wrapping_add(taken.get());
            left -= taken.get();
        }
        self.size_bytes.fetch_add(bytes - left, Ordering::Relaxed);
    }

    /// Returns the number of bytes in use, as requested by the callers.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that the heap was given.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes.load(Ordering::Relaxed)
    }
}

// SAFETY: blocks come from the TLSF pool under a lock, so they are disjoint and fit the layout.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(block) = self.allocator.lock().allocate(layout) else {
            return ptr::null_mut();
        };
        self.used_bytes.fetch_add(layout.size(), Ordering::Relaxed);
        block.as_ptr()
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        // SAFETY: the caller got the block from `alloc` with this layout.
        unsafe { self.allocator.lock().deallocate(block, layout.align()) };
        self.used_bytes.fetch_sub(layout.size(), Ordering::Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(pointer) = NonNull::new(block) else {
            return ptr::null_mut();
        };
        // SAFETY: the contract of `realloc` makes size and alignment a valid layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller got the block from `alloc` with this alignment.
        let Some(moved) = (unsafe { self.allocator.lock().reallocate(pointer, new_layout) }) else {
            return ptr::null_mut();
        };
        self.used_bytes.fetch_add(new_size, Ordering::Relaxed);
        self.used_bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        moved.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_there_again() {
        let heap = Heap::empty();
        let memory = std::vec![0_u8; 1 << 20].leak();
        // SAFETY: leaked memory is never freed.
        unsafe { heap.give(memory.as_mut_ptr(), memory.len()) };
        let layout = Layout::from_size_align(600 << 10, 64).unwrap();
        for _ in 0..3 {
            // SAFETY: the layout is not empty; the block is given back with it.
            unsafe {
                let block = heap.alloc(layout);
                assert!(!block.is_null() && (block as usize).is_multiple_of(64));
                assert_eq!(heap.used_bytes(), 600 << 10);
                assert!(heap.alloc(layout).is_null(), "two of them do not fit");
                heap.dealloc(block, layout);
            }
        }
        assert_eq!(heap.used_bytes(), 0);
    }
}
