//! Page tables: an address space is built by whoever loads an instance, and grown by the instance when it adopts a device.

use x86_64::structures::paging::mapper::{MapToError, MapperFlush, UnmapError};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags, PhysFrame,
    Size2MiB, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

/// A small page, in bytes.
pub const PAGE_BYTES: u64 = 4096;
/// A large page, in bytes.
pub const LARGE_PAGE_BYTES: u64 = 2 << 20;

/// What may be done with mapped memory. Nothing is ever writable and executable at once.
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

/// Page-table memory, handed out from a run of zeroed or unzeroed physical memory, page by page.
#[derive(Clone, Debug)]
pub struct TableFrames {
    next: u64,
    end: u64,
}

impl TableFrames {
    /// Hands out the pages between two page-aligned physical addresses.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    /// The first page not handed out.
    pub const fn next(&self) -> u64 {
        self.next
    }
}

// SAFETY: each page of the run is handed out once.
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
}

impl AddressSpace {
    /// A new, empty address space with its tables in `frames`, which are visible here at `window` + physical address.
    ///
    /// # Safety
    /// `frames`' memory is writable at `window`, and nobody else's.
    pub unsafe fn new(window: u64, mut frames: TableFrames) -> Option<Self> {
        let root = frames.allocate_frame()?.start_address();
        let table = (window + root.as_u64()) as *mut PageTable;
        // SAFETY: the frame is ours and mapped at the window; an empty table is all zeros.
        unsafe {
            table.write_bytes(0, 1);
            Some(Self::open(window, root, frames))
        }
    }

    /// An existing address space.
    ///
    /// # Safety
    /// `root` is a page table whose tables are visible at `window` + physical address; nobody else changes it meanwhile.
    pub unsafe fn open(window: u64, root: PhysAddr, frames: TableFrames) -> Self {
        let table = (window + root.as_u64()) as *mut PageTable;
        // SAFETY: the caller's promise.
        let tables = unsafe { OffsetPageTable::new(&mut *table, VirtAddr::new(window)) };
        Self {
            tables,
            root,
            frames,
        }
    }

    /// Physical address of the top table.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// The first page of table memory that is still free.
    pub fn next_table_frame(&self) -> u64 {
        self.frames.next()
    }

    /// Takes a page of table memory out for another use. False if there is none left.
    pub fn take_table_frame(&mut self) -> bool {
        self.frames.allocate_frame().is_some()
    }

    /// Maps `bytes` bytes (rounded up to pages) of physical memory, with large pages where both addresses allow.
    ///
    /// # Errors
    /// No table memory, or something is mapped there.
    ///
    /// # Safety
    /// Whoever uses this address space may access that memory in that way.
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
            let is_large =
                (v | p).is_multiple_of(LARGE_PAGE_BYTES) && bytes - done >= LARGE_PAGE_BYTES;
            // SAFETY: the caller's promise.
            done += unsafe {
                if is_large {
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
        // SAFETY: the caller's promise.
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

    /// Takes `bytes` bytes out of the address space again, as they were mapped.
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

    /// Physical address behind a virtual one; `None` if nothing is mapped there.
    pub fn physical_of(&self, virt: u64) -> Option<u64> {
        self.tables
            .translate_addr(VirtAddr::new(virt))
            .map(PhysAddr::as_u64)
    }

    /// Makes the part of `other` that lies in its top-level entry `index` (512 GiB) part of this address space too.
    ///
    /// # Safety
    /// Whoever uses this address space may access that memory as `other` maps it; `other` lives as long.
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
