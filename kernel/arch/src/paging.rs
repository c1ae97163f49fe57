//! Page tables. The monitor builds an instance's address space when it loads the image; the instance adds to it when it
//! adopts a device.

use alloc::collections::BTreeSet;

use raw_cpuid::CpuId;
use x86_64::structures::paging::mapper::{MapToError, MapperFlush, UnmapError};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags, PhysFrame,
    Size1GiB, Size2MiB, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

/// A small page, in bytes.
pub const PAGE_BYTES: u64 = 4096;
/// A large page, in bytes.
pub const LARGE_PAGE_BYTES: u64 = 2 << 20;
/// A huge page, in bytes. Not every processor has them.
pub const HUGE_PAGE_BYTES: u64 = 1 << 30;

/// Returns the pages in which these addresses are, each once, rising: several devices may have their registers in one.
pub fn pages_of(addresses: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    let pages = addresses.into_iter().map(|it| it & !(PAGE_BYTES - 1));
    pages.collect()
}

/// What may be done with mapped memory. No memory is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
    /// Read and write, uncached: device registers.
    Device,
}

impl Protection {
    /// Returns the flags of a page-table entry.
    fn flags(self) -> PageTableFlags {
        let (base, no_execute, writable) = (
            PageTableFlags::PRESENT,
            PageTableFlags::NO_EXECUTE,
            PageTableFlags::WRITABLE,
        );
        match self {
            Self::ReadOnly => base | no_execute,
            Self::ReadWrite => base | no_execute | writable,
            Self::ReadExecute => base,
            Self::Device => {
                base | no_execute
                    | writable
                    | PageTableFlags::NO_CACHE
                    | PageTableFlags::WRITE_THROUGH
            }
        }
    }
}

/// Why an address could not be mapped or unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// There is no memory left for page tables.
    NoTableMemory,
    /// Something is mapped there already, at this address.
    Occupied(u64),
    /// Nothing of that size is mapped there, at this address.
    NotMapped(u64),
}

/// Memory for page tables, handed out page by page. It need not be zeroed.
#[derive(Clone, Debug)]
pub struct TableFrames {
    next: u64,
    end: u64,
}

impl TableFrames {
    /// Makes the supply of the pages between two page-aligned physical addresses.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// Returns the physical address of the first page that was not handed out.
    pub const fn next(&self) -> u64 {
        self.next
    }
}

// SAFETY: each page is handed out once.
unsafe impl FrameAllocator<Size4KiB> for TableFrames {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let frame = PhysFrame::containing_address(PhysAddr::new(self.next));
        (self.next + PAGE_BYTES <= self.end).then(|| {
            self.next += PAGE_BYTES;
            frame
        })
    }
}

/// An address space under construction or in use.
pub struct AddressSpace {
    tables: OffsetPageTable<'static>,
    root: PhysAddr,
    frames: TableFrames,
    has_huge_pages: bool,
}

impl AddressSpace {
    /// Makes an empty address space with its tables in `frames`, which are mapped here at `window` + physical address.
    ///
    /// # Safety
    /// The memory of `frames` is writable at `window` and belongs to this address space alone.
    pub unsafe fn new(window: u64, mut frames: TableFrames) -> Option<Self> {
        let root = frames.allocate_frame()?.start_address();
        let table = (window + root.as_u64()) as *mut PageTable;
        // SAFETY: the frame was just handed out and is mapped at the window; an empty table is all zeros.
        unsafe {
            table.write_bytes(0, 1);
            Some(Self::open(window, root, frames))
        }
    }

    /// Opens an existing address space.
    ///
    /// # Safety
    /// `root` is a top-level page table, its tables are mapped at `window` + physical address, and nobody else changes
    /// them meanwhile.
    pub unsafe fn open(window: u64, root: PhysAddr, frames: TableFrames) -> Self {
        let table = (window + root.as_u64()) as *mut PageTable;
        // SAFETY: the caller vouches for the tables.
        let tables = unsafe { OffsetPageTable::new(&mut *table, VirtAddr::new(window)) };
        Self {
            tables,
            root,
            frames,
            has_huge_pages: false,
        }
    }

    /// Maps with huge pages from now on, too, as far as the processor has them. [`unmap`](Self::unmap) does not know
    /// them.
    pub fn use_huge_pages(&mut self) {
        let features = CpuId::new().get_extended_processor_and_feature_identifiers();
        self.has_huge_pages = features.is_some_and(|it| it.has_1gib_pages());
    }

    /// Returns the physical address of the top-level table.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// Returns the physical address of the first free page of table memory.
    pub fn next_table_frame(&self) -> u64 {
        self.frames.next()
    }

    /// Takes a page of table memory out for another use. Returns false if none is left.
    pub fn take_table_frame(&mut self) -> bool {
        self.frames.allocate_frame().is_some()
    }

    /// Maps `bytes` bytes of physical memory, rounded up to pages, with large pages where both addresses are aligned
    /// for them.
    ///
    /// # Errors
    /// [`MapError::NoTableMemory`], [`MapError::Occupied`].
    ///
    /// # Safety
    /// The program that uses this address space may access that memory in that way.
    pub unsafe fn map(
        &mut self,
        virt: u64,
        phys: u64,
        bytes: u64,
        protection: Protection,
    ) -> Result<(), MapError> {
        let mut done = 0;
        while done < bytes {
            let (v, p) = (virt + done, phys + done);
            let fits = |page: u64| (v | p).is_multiple_of(page) && bytes - done >= page;
            // SAFETY: the caller allows the access.
            done += unsafe {
                if self.has_huge_pages && fits(HUGE_PAGE_BYTES) {
                    self.map_page::<Size1GiB>(v, p, protection)?
                } else if fits(LARGE_PAGE_BYTES) {
                    self.map_page::<Size2MiB>(v, p, protection)?
                } else {
                    self.map_page::<Size4KiB>(v, p, protection)?
                }
            };
        }
        Ok(())
    }

    /// Maps one page and returns its size in bytes.
    ///
    /// # Safety
    /// As for [`map`](Self::map).
    unsafe fn map_page<S: PageSize>(
        &mut self,
        virt: u64,
        phys: u64,
        protection: Protection,
    ) -> Result<u64, MapError>
    where
        OffsetPageTable<'static>: Mapper<S>,
    {
        let page = Page::<S>::containing_address(VirtAddr::new(virt));
        let frame = PhysFrame::<S>::containing_address(PhysAddr::new(phys));
        // SAFETY: the caller allows the access.
        let mapped = unsafe {
            self.tables.map_to_with_table_flags(
                page,
                frame,
                protection.flags(),
                table_flags(),
                &mut self.frames,
            )
        };
        mapped
            .map(MapperFlush::flush)
            .map_err(|error| map_error(&error, virt))?;
        Ok(S::SIZE)
    }

    /// Unmaps `bytes` bytes, which one or more calls of [`map`](Self::map) have mapped.
    ///
    /// # Errors
    /// [`MapError::NotMapped`].
    ///
    /// # Safety
    /// Nothing refers to that memory any more.
    pub unsafe fn unmap(&mut self, virt: u64, bytes: u64) -> Result<(), MapError> {
        let mut done = 0;
        while done < bytes {
            let address = VirtAddr::new(virt + done);
            let large = self
                .tables
                .unmap(Page::<Size2MiB>::containing_address(address));
            done += match large {
                Ok((_, flush)) => {
                    flush.flush();
                    LARGE_PAGE_BYTES
                }
                Err(
                    UnmapError::ParentEntryHugePage
                    | UnmapError::PageNotMapped
                    | UnmapError::InvalidFrameAddress(_),
                ) => {
                    let small = self
                        .tables
                        .unmap(Page::<Size4KiB>::containing_address(address));
                    small
                        .map_err(|_| MapError::NotMapped(virt + done))?
                        .1
                        .flush();
                    PAGE_BYTES
                }
            };
        }
        Ok(())
    }

    /// Returns the physical address behind a virtual one; `None` if nothing is mapped there.
    pub fn physical_of(&self, virt: u64) -> Option<u64> {
        self.tables
            .translate_addr(VirtAddr::new(virt))
            .map(PhysAddr::as_u64)
    }

    /// Maps here what `other` maps in its top-level entry `index`, which covers 512 GiB: both use the same tables below
    /// that entry.
    ///
    /// # Safety
    /// The program that uses this address space may access that memory as `other` maps it, and `other` is not freed
    /// before this one.
    pub unsafe fn share_top_entry(&mut self, other: &Self, index: usize) {
        let entry = &other.tables.level_4_table()[index];
        let (address, flags) = (entry.addr(), entry.flags());
        self.tables.level_4_table_mut()[index].set_addr(address, flags);
    }
}

fn table_flags() -> PageTableFlags {
    PageTableFlags::PRESENT | PageTableFlags::WRITABLE
}

fn map_error<S: PageSize>(error: &MapToError<S>, virt: u64) -> MapError {
    match error {
        MapToError::FrameAllocationFailed => MapError::NoTableMemory,
        MapToError::ParentEntryHugePage | MapToError::PageAlreadyMapped(_) => {
            MapError::Occupied(virt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_share_a_page_are_mapped_once() {
        let registers = [
            0xfec0_0000,
            0xfec0_0400,
            0xfee0_0000,
            0xfec0_0fc0,
            0xfebf_ffff,
        ];
        let pages = [0xfebf_f000, 0xfec0_0000, 0xfee0_0000];
        assert!(pages_of(registers).into_iter().eq(pages));
    }
}
