//! The instance's memory: its heap, and its own page tables, to which it adds the registers of devices when it adopts them.

use alloc::vec::Vec;

use arch::heap::Heap;
use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames};
use sharedmem::abi::{DIRECT_BASE, STACK_BASE};
use sharedmem::hand_off::HandOff;
use spin::{Mutex, Once};
use x86_64::PhysAddr;

/// The heap; empty until [`give_heap`].
#[global_allocator]
pub static HEAP: Heap = Heap::empty();

struct DeviceMap {
    space: AddressSpace,
    mapped: Vec<u64>,
}

static DEVICES: Once<Mutex<DeviceMap>> = Once::new();

/// Returns the address at which this instance sees physical address `phys` of its slice, the shared region or a device of its own.
pub fn virt_of(phys: u64) -> u64 {
    DIRECT_BASE + phys
}

/// Gives everything in the slice that the loader left free to the heap.
pub fn give_heap(hand_off: &HandOff) {
    let mut start = Some(hand_off.free_start);
    for range in hand_off.ranges() {
        let from = start.take().unwrap_or(range.start);
        // SAFETY: the slice is mapped read-write at the direct map and belongs to this instance alone; what the loader placed lies below
        // `free_start`.
        unsafe { HEAP.give(virt_of(from) as *mut u8, (range.end - from) as usize) };
    }
}

/// Opens the page tables that the loader made.
pub fn open_page_tables(hand_off: &HandOff) {
    let frames = TableFrames::new(hand_off.table_frames.start, hand_off.table_frames.end);
    // SAFETY: the tables lie in this slice, visible at the direct map; after the loader, only this instance changes them.
    let space =
        unsafe { AddressSpace::open(DIRECT_BASE, PhysAddr::new(hand_off.page_table), frames) };
    DEVICES.call_once(|| {
        Mutex::new(DeviceMap {
            space,
            mapped: Vec::new(),
        })
    });
}

/// Maps `bytes` bytes of device registers at physical address `phys`, uncached, and says where. Mapping them again is no error.
///
/// # Errors
/// There is no memory for page tables left, or the registers would lie in the slice.
///
/// # Safety
/// There are device registers, of a device this instance owns.
pub unsafe fn map_device(phys: u64, bytes: u64) -> Result<u64, MapError> {
    let first = phys & !(PAGE_BYTES - 1);
    let mut map = DEVICES.get().ok_or(MapError::NoTableMemory)?.lock();
    for page in (first..phys + bytes).step_by(PAGE_BYTES as usize) {
        if !map.mapped.contains(&page) {
            // SAFETY: the caller's promise; `map` refuses what is mapped already, so a slice's memory cannot become a device.
            unsafe {
                map.space
                    .map(virt_of(page), page, PAGE_BYTES, Protection::Device)?
            };
            map.mapped.push(page);
        }
    }
    Ok(virt_of(phys))
}

/// Physical address of a byte of this instance's memory, for devices: heap, stack or image. Each of these is one run of physical memory, so
/// the bytes that follow in a buffer follow there too.
///
/// # Panics
/// If nothing is mapped there: a buffer that does not exist.
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
