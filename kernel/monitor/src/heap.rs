//! The monitor's heap: boot facts, plan, instances.

use core::cell::UnsafeCell;

use arch::heap::Heap;

const BYTES: usize = 2 << 20;

#[repr(C, align(4096))]
struct Memory(UnsafeCell<[u8; BYTES]>);

// SAFETY: given to the heap once, by `begin`.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; BYTES]));

#[global_allocator]
static HEAP: Heap = Heap::empty();

/// Gives the heap its memory.
///
/// # Safety
/// Called once, before anything is allocated.
pub unsafe fn begin() {
    // SAFETY: by the caller's promise nobody else uses this static.
    unsafe { HEAP.give(MEMORY.0.get().cast(), BYTES) };
}

/// Returns how many bytes are in use.
pub fn used_bytes() -> usize {
    HEAP.used_bytes()
}
