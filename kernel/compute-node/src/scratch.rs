//! The heap: what a computation works in beside its regions. One that is outgrown ends the computation with an error
//! that says so, because to enter it again would lead to the same.

use core::alloc::{GlobalAlloc, Layout};

use arch::heap::Heap;

use crate::death;

/// The heap.
pub struct Scratch(pub Heap);

// SAFETY: what it returns is the heap's, or it does not return.
unsafe impl GlobalAlloc for Scratch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let pointer = unsafe { self.0.alloc(layout) };
        self.check(pointer, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let pointer = unsafe { self.0.realloc(pointer, layout, size) };
        self.check(pointer, size)
    }
}

impl Scratch {
    /// Returns the pointer, unless the heap had no room.
    fn check(&self, pointer: *mut u8, bytes: usize) -> *mut u8 {
        if pointer.is_null() {
            death::by_scratch(bytes, self.0.used_bytes(), self.0.size_bytes());
        }
        pointer
    }
}
