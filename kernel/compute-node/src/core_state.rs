//! A core of the slice: its number, descriptor tables and traps.

use core::sync::atomic::{AtomicBool, Ordering};

use arch::descriptors::CoreTables;
use arch::{cpu, traps};

use crate::slice::Slice;
use crate::{HEAP, death};

/// The first core has filled the interrupt table and the heap. The image is loaded anew for each entry, so this is
/// false at the beginning of each.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Sets up the core that runs, as that of rank `rank`.
///
/// # Safety
/// Called once per rank, on its core, with interrupts off.
pub unsafe fn set_up(slice: &Slice, rank: usize) {
    let area = slice.cores.wrapping_add(rank);
    // SAFETY: the area lies in the slice, is this core's alone, and stays for as long as the kernel runs. Any bytes are
    // tables that are about to be filled.
    unsafe {
        (*area).number = rank as u64;
        cpu::set_core_number(&(*area).number);
        CoreTables::load(&raw mut (*area).tables);
    }
    if rank == 0 {
        death::learn(slice);
        let (start, bytes) = slice.heap;
        // SAFETY: the first core, whose tables are loaded; and memory that is the heap's alone.
        unsafe {
            traps::install(death::by_trap);
            HEAP.0.give(start, bytes);
        }
        IS_READY.store(true, Ordering::Release);
    } else {
        while !IS_READY.load(Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: the first core has installed the table.
        unsafe { traps::load() };
    }
}
