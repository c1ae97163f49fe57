//! Memory that devices access: any of this instance's own, where drivers keep queues and buffers.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::memory;

/// The driver library's access to memory and registers.
pub struct SliceDma;

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).expect("queues are a few pages")
}

// SAFETY: allocations are zeroed, page aligned and exclusive; registers are mapped uncached, each at one address;
// sharing only translates addresses, because devices access memory directly and coherently.
unsafe impl Hal for SliceDma {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: the layout is not empty, because drivers ask for at least a page.
        match NonNull::new(unsafe { alloc_zeroed(layout(pages)) }) {
            Some(memory) => (memory::physical_of(memory.as_ptr()), memory),
            // In this trait, address 0 means that there is no memory.
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_phys: PhysAddr, virt: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller got it from `dma_alloc` with this number of pages.
        unsafe { dealloc(virt.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(phys: PhysAddr, size: usize) -> NonNull<u8> {
        // SAFETY: the caller names registers of a device that it drives, so this instance owns it.
        let virt = unsafe { memory::map_device(phys, size as u64) };
        NonNull::new(virt.expect("a device's registers lie outside the slice") as *mut u8)
            .expect("not at address 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        memory::physical_of(buffer.cast::<u8>().as_ptr())
    }

    unsafe fn unshare(_phys: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
