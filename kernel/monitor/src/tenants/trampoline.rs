//! The trampoline into a parked Linux: a top page table that maps the monitor below and that kernel above, for the few
//! instructions in which a core goes from one to the other.

use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr;

use arch::paging::{PAGE_BYTES, Protection};
use sharedmem::hand_off::PhysicalRange;

use crate::window::Windows;

const ENTRIES: usize = 512;

/// The entries of a top page table that map the upper half of the address space, where kernels live.
pub const UPPER_ENTRIES: Range<u16> = 256..512;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: written by the seat only, in a takeover, before the one core that uses it is sent on; there is one takeover
// at a time.
unsafe impl Sync for Table {}

static TRAMPOLINE: Table = Table(UnsafeCell::new([0; ENTRIES]));

/// Makes the trampoline to the kernel whose top page table is at physical address `page_table`. Returns the
/// trampoline's own address; `None` if the table is not in `slot`.
///
/// # Safety
/// The kernel in `slot` does not run, and no core uses the trampoline.
pub unsafe fn make(windows: Windows, slot: PhysicalRange, page_table: u64) -> Option<u64> {
    let page = PhysicalRange {
        start: page_table & !(PAGE_BYTES - 1),
        end: (page_table & !(PAGE_BYTES - 1)).checked_add(PAGE_BYTES)?,
    };
    if page.start < slot.start || page.end > slot.end {
        return None;
    }
    let trampoline = TRAMPOLINE.0.get().cast::<u64>();
    let upper = usize::from(UPPER_ENTRIES.start);
    // SAFETY: the caller's promises; both tables are mapped now, the trampoline by the monitor's image and the other by
    // the window.
    unsafe {
        let window = windows.open(page, Protection::ReadOnly).ok()?;
        let kernel = window.at(page.start).cast::<u64>();
        trampoline.write_bytes(0, ENTRIES);
        trampoline.write(windows.first_entry());
        ptr::copy_nonoverlapping(
            kernel.add(upper),
            trampoline.add(upper),
            UPPER_ENTRIES.len(),
        );
    }
    // The monitor is identity mapped.
    Some(trampoline as u64)
}
