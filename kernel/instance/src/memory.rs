//! The instance's memory: its heap, and its page tables, in which it maps the registers of the devices that it adopts.

use alloc::vec::Vec;

use arch::heap::Heap;
use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames};
use sharedmem::abi::{DIRECT_BASE, STACK_BASE};
use sharedmem::hand_off::HandOff;
use spin::{Mutex, Once};
use x86_64::PhysAddr;

/// Physical addresses below this have a place in the direct map.
pub const DIRECT_BYTES: u64 = STACK_BASE - DIRECT_BASE;

/// The heap. It is empty until [`give_heap`] is called.
#[global_allocator]
pub static HEAP: Heap = Heap::empty();

struct DeviceMap {
    space: AddressSpace,
    /// Physical addresses of the pages of registers that are mapped.
    mapped: Vec<u64>,
}

static DEVICES: Once<Mutex<DeviceMap>> = Once::new();

/// Returns the address at which this instance maps physical address `phys` of its slice, the shared region or one of
/// its devices.
pub fn virt_of(phys: u64) -> u64 {
    DIRECT_BASE + phys
}

/// Gives the heap all memory of the slice that the loader left free.
pub fn give_heap(hand_off: &HandOff) {
    let mut start = Some(hand_off.free_start);
    for range in hand_off.ranges() {
        let from = start.take().unwrap_or(range.start);
        // SAFETY: the slice is mapped read-write in the direct map and belongs to this instance alone; what the loader
        // placed lies below `free_start`.
        unsafe { HEAP.give(virt_of(from) as *mut u8, (range.end - from) as usize) };
    }
}

/// Opens the page tables that the loader made.
pub fn open_page_tables(hand_off: &HandOff) {
    let frames = TableFrames::new(hand_off.table_frames.start, hand_off.table_frames.end);
    // SAFETY: the tables lie in this slice and in the direct map; the loader is done, and only this instance changes
    // them.
    let space =
        unsafe { AddressSpace::open(DIRECT_BASE, PhysAddr::new(hand_off.page_table), frames) };
    DEVICES.call_once(|| {
        Mutex::new(DeviceMap {
            space,
            mapped: Vec::new(),
        })
    });
}

/// Maps `bytes` bytes of device registers at physical address `phys`, uncached, and returns their address. They may be
/// mapped already.
///
/// # Errors
/// [`MapError::NoTableMemory`], or [`MapError::Occupied`] if the registers would lie in the slice or the shared region.
///
/// # Safety
/// At `phys` are registers of a device that this instance owns.
pub unsafe fn map_device(phys: u64, bytes: u64) -> Result<u64, MapError> {
    let first = phys & !(PAGE_BYTES - 1);
    let mut map = DEVICES.get().ok_or(MapError::NoTableMemory)?.lock();
    for page in (first..phys + bytes).step_by(PAGE_BYTES as usize) {
        if !map.mapped.contains(&page) {
            // SAFETY: the caller vouches for the registers; `map` refuses addresses that are mapped, so no memory is
            // mapped as a device.
            unsafe {
                map.space
                    .map(virt_of(page), page, PAGE_BYTES, Protection::Device)?
            };
            map.mapped.push(page);
        }
    }
    Ok(virt_of(phys))
}

/// Returns the physical address of a byte of heap, stack or image, for a device.
///
/// Each of the three is contiguous in physical memory, so the next bytes of a buffer follow there too.
///
/// # Panics
/// If nothing is mapped there.
pub fn physical_of(pointer: *const u8) -> u64 {
    let virt = pointer as u64;
    if (DIRECT_BASE..STACK_BASE).contains(&virt) {
        return virt - DIRECT_BASE;
    }
    let map = DEVICES
        .get()
        .expect("the page tables are opened on first entry");
    let translated = map.lock().space.physical_of(virt);
    translated.expect("a buffer is mapped memory")
}
