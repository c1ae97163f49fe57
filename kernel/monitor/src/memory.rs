//! The monitor's own address space.
//!
//! The monitor is identity mapped in the first top-level entry (512 GiB): its image, the start page, the interrupt
//! controllers and the shared region. That entry is also part of the space in which the backup runs on the seat, so
//! that the monitor's trap handlers work there. Nothing of a slice is ever in it.

use core::cell::UnsafeCell;
use core::ops::Range;

use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames, pages_of};
use sharedmem::abi::DIRECT_BASE;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Instance, PerInstance};
use x86_64::PhysAddr;

/// Pages for the monitor's page tables; windows onto slices need one per 2 MiB that is not on a large-page boundary,
/// and one per GiB.
const TABLE_PAGES: usize = 128;

#[repr(C, align(4096))]
struct TablePool(UnsafeCell<[[u8; PAGE_BYTES as usize]; TABLE_PAGES]>);

// SAFETY: handed out once, to the one `MonitorSpace`.
unsafe impl Sync for TablePool {}

static TABLE_POOL: TablePool = TablePool(UnsafeCell::new([[0; PAGE_BYTES as usize]; TABLE_PAGES]));

unsafe extern "C" {
    static image_start: u8;
    static stack_guard: u8;
    static stack_bottom: u8;
    static text_end: u8;
    static rodata_end: u8;
    static image_end: u8;
}

/// Returns the memory of the boot image.
pub fn image() -> PhysicalRange {
    PhysicalRange {
        start: (&raw const image_start) as u64,
        end: (&raw const image_end) as u64,
    }
}

/// Where PCI configuration space and the screen are mapped: behind the entry that the backup's space shares, so that a
/// backup cannot write there.
const DEVICE_MEMORY_BASE: u64 = 1 << 39;
/// From one window to the next: twice what all buses of a segment take.
const DEVICE_MEMORY_STRIDE: u64 = 512 << 20;
const LARGE_PAGE_BYTES: u64 = 2 << 20;

/// Where one large page of physical memory at a time is mapped, to be looked at: behind an entry of its own.
const PEEK_BASE: u64 = 2 << 39;

/// Where the start page can be written: no backup shares this entry.
pub const START_PAGE_ALIAS: u64 = PEEK_BASE + (1 << 30);

/// Where registers and tables of the IOMMUs are mapped, behind that entry for the same reason: each at this address
/// plus its physical one.
pub const IOMMU_BASE: u64 = 3 << 39;

/// The monitor's address space.
pub struct MonitorSpace {
    space: AddressSpace,
    /// Number of windows onto device memory.
    device_windows: u64,
    /// Top tables of instances on the seat.
    seat_tables: PerInstance<Option<u64>>,
    /// The large page at [`PEEK_BASE`].
    peeked: Option<u64>,
}

/// The entries of the top table behind which nothing changes once configuration space is mapped.
pub const CONSTANT_ENTRIES: Range<u16> = 0..2;

impl MonitorSpace {
    /// Makes the address space: image, `start_page` and its scratch page, the pages of `device_registers`, and the
    /// `shared` region. Does not load it.
    ///
    /// # Errors
    /// When the table memory does not suffice.
    ///
    /// # Safety
    /// Once; the boot tables are loaded, so the pool is identity mapped. The addresses are what they are said to be.
    pub unsafe fn make(
        start_page: u64,
        device_registers: &[u64],
        shared: PhysicalRange,
    ) -> Result<Self, MapError> {
        let pool = TABLE_POOL.0.get() as u64;
        let frames = TableFrames::new(pool, pool + (TABLE_PAGES as u64) * PAGE_BYTES);
        // SAFETY: the pool is a static of ours, identity mapped, and used here only.
        let mut space = unsafe { AddressSpace::new(0, frames) }.ok_or(MapError::NoTableMemory)?;
        let sections = [
            (
                &raw const image_start,
                &raw const text_end,
                Protection::ReadExecute,
            ),
            (
                &raw const text_end,
                &raw const rodata_end,
                Protection::ReadOnly,
            ),
            (
                &raw const rodata_end,
                &raw const stack_guard,
                Protection::ReadWrite,
            ),
            (
                &raw const stack_bottom,
                &raw const image_end,
                Protection::ReadWrite,
            ),
        ];
        for (start, end, protection) in sections {
            let start = start as u64;
            // SAFETY: these are the image's own sections, with the protections they were linked for.
            unsafe { space.map(start, start, end as u64 - start, protection)? };
        }
        // SAFETY: by the caller's promise.
        unsafe {
            space.map(start_page, start_page, PAGE_BYTES, Protection::ReadExecute)?;
            let scratch = start_page + PAGE_BYTES;
            space.map(scratch, scratch, PAGE_BYTES, Protection::ReadWrite)?;
            let alias = START_PAGE_ALIAS;
            space.map(alias, start_page, PAGE_BYTES, Protection::ReadWrite)?;
            for page in pages_of(device_registers.iter().copied()) {
                space.map(page, page, PAGE_BYTES, Protection::Device)?;
            }
            space.map(
                shared.start,
                shared.start,
                shared.len(),
                Protection::ReadWrite,
            )?;
        }
        Ok(Self {
            space,
            device_windows: 0,
            seat_tables: PerInstance::default(),
            peeked: None,
        })
    }

    /// Maps memory of a device: a part of PCI configuration space, or the screen. Returns where.
    ///
    /// # Errors
    /// When the table memory does not suffice, or the range is longer than 256 MiB.
    ///
    /// # Safety
    /// It is what it is said to be.
    pub unsafe fn map_device_memory(&mut self, range: PhysicalRange) -> Result<u64, MapError> {
        let start = range.start / PAGE_BYTES * PAGE_BYTES;
        let bytes = (range.end - start).next_multiple_of(PAGE_BYTES);
        if bytes > DEVICE_MEMORY_STRIDE - LARGE_PAGE_BYTES {
            return Err(MapError::NoTableMemory);
        }
        let window = DEVICE_MEMORY_BASE + self.device_windows * DEVICE_MEMORY_STRIDE;
        self.device_windows += 1;
        // At the same place within a large page, so that large pages fit.
        let virt = window + start % LARGE_PAGE_BYTES;
        // SAFETY: by the caller's promise; nothing else is mapped there.
        unsafe { self.space.map(virt, start, bytes, Protection::Device)? };
        Ok(virt + range.start - start)
    }

    /// Maps registers or tables of the IOMMUs, at [`IOMMU_BASE`].
    ///
    /// # Errors
    /// When the table memory does not suffice.
    ///
    /// # Safety
    /// It is what it is said to be.
    pub unsafe fn map_iommu(
        &mut self,
        range: PhysicalRange,
        protection: Protection,
    ) -> Result<(), MapError> {
        let virt = IOMMU_BASE + range.start;
        // SAFETY: by the caller's promise; nothing else is mapped there.
        unsafe { self.space.map(virt, range.start, range.len(), protection) }
    }

    /// Returns the physical address of the top table.
    pub fn root(&self) -> u64 {
        self.space.root().as_u64()
    }

    /// Returns the first entry of the top table, which maps all of the monitor.
    pub fn first_entry(&self) -> u64 {
        // SAFETY: the table is in the pool, identity mapped, and changed by `&mut self` only.
        unsafe { (self.root() as *const u64).read() }
    }

    /// Returns how many bytes of page tables are in use.
    pub fn table_bytes(&self) -> u64 {
        self.space.next_table_frame() - TABLE_POOL.0.get() as u64
    }

    /// Loads this address space on the seat.
    ///
    /// # Safety
    /// Everything in use is in it: no reference into other memory is held.
    pub unsafe fn load(&self) {
        // SAFETY: code, stack and statics are mapped by `make`.
        unsafe { arch::cpu::load_page_table(self.space.root()) };
    }

    /// Maps `range`, of whole large pages, at [`DIRECT_BASE`].
    ///
    /// # Errors
    /// The table memory does not suffice, or something is mapped there.
    ///
    /// # Safety
    /// This space is loaded. Nobody else writes to the range while it is mapped.
    pub unsafe fn map_window(
        &mut self,
        range: PhysicalRange,
        protection: Protection,
    ) -> Result<(), MapError> {
        let at = DIRECT_BASE + range.start;
        // SAFETY: the caller's promise.
        unsafe { self.space.map(at, range.start, range.len(), protection) }
    }

    /// Takes back what [`map_window`](Self::map_window) mapped.
    ///
    /// # Safety
    /// No reference into it is left.
    pub unsafe fn unmap_window(&mut self, range: PhysicalRange) {
        // SAFETY: the caller's promise.
        let closed = unsafe { self.space.unmap(DIRECT_BASE + range.start, range.len()) };
        debug_assert!(closed.is_ok(), "a window is mapped as a whole");
    }

    /// Maps the large page around physical address `address` in place of the one before, and returns where the address
    /// is.
    ///
    /// # Errors
    /// When the table memory does not suffice.
    ///
    /// # Safety
    /// This space is loaded. No reference into the page before is left.
    pub unsafe fn peek(&mut self, address: u64) -> Result<*const u8, MapError> {
        let page = address & !(LARGE_PAGE_BYTES - 1);
        if self.peeked != Some(page) {
            // SAFETY: by the caller's promise nothing refers to what was there; what is there now is only read.
            unsafe {
                if self.peeked.take().is_some() {
                    self.space.unmap(PEEK_BASE, LARGE_PAGE_BYTES)?;
                }
                let protection = Protection::ReadOnly;
                self.space
                    .map(PEEK_BASE, page, LARGE_PAGE_BYTES, protection)?;
            }
            self.peeked = Some(page);
        }
        Ok((PEEK_BASE + address - page) as *const u8)
    }

    /// Returns the page of the pool that is kept for the top table of an instance on the seat. One each, for ever: they
    /// are loaded again and again.
    fn seat_table(&mut self, instance: Instance) -> Option<u64> {
        let kept = &mut self.seat_tables[instance];
        if kept.is_none() {
            let next = self.space.next_table_frame();
            *kept = self.space.take_table_frame().then_some(next);
        }
        *kept
    }

    /// Makes the address space in which `instance` runs on the seat: `own`, which is the instance's, and the monitor's
    /// first entry. `own`'s tables must be visible now. The address space that was made before for this instance is no
    /// more.
    ///
    /// # Errors
    /// When the table memory does not suffice.
    pub fn make_seat_space(
        &mut self,
        instance: Instance,
        own: &AddressSpace,
    ) -> Result<PhysAddr, MapError> {
        let first = self.seat_table(instance).ok_or(MapError::NoTableMemory)?;
        let frames = TableFrames::new(first, first + PAGE_BYTES);
        // SAFETY: a page of the pool, identity mapped, and kept for this; the instance runs nowhere while it is loaded.
        let mut seat = unsafe { AddressSpace::new(0, frames) }.ok_or(MapError::NoTableMemory)?;
        for index in 1..512 {
            // SAFETY: on the seat the instance may use what is its own.
            unsafe { seat.share_top_entry(own, index) };
        }
        // SAFETY: the monitor's own part, which its trap handlers need there; it lives for ever.
        unsafe { seat.share_top_entry(&self.space, 0) };
        Ok(seat.root())
    }
}
