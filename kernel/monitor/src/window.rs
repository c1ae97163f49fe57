//! Windows: how the monitor sees memory that is not its own, for as long as it needs to.

use alloc::boxed::Box;
use core::cell::RefCell;

use arch::paging::{AddressSpace, LARGE_PAGE_BYTES, MapError, Protection};
use sharedmem::Instance;
use sharedmem::abi::DIRECT_BASE;
use sharedmem::hand_off::PhysicalRange;
use x86_64::PhysAddr;

use crate::memory::MonitorSpace;

/// The monitor's address space, for all who open windows in it.
#[derive(Clone, Copy)]
pub struct Windows(&'static RefCell<MonitorSpace>);

impl Windows {
    /// Opens windows in `space` from here on.
    pub fn new(space: MonitorSpace) -> Self {
        Self(Box::leak(Box::new(RefCell::new(space))))
    }

    /// Opens a window at [`DIRECT_BASE`] onto `range`. It is rounded out to large pages, so that windows of any size
    /// can follow each other at one place without leaving small tables behind.
    ///
    /// # Errors
    /// The table memory does not suffice, or a window is open there.
    ///
    /// # Safety
    /// The space is loaded. While the window is open nobody writes to the range but through it.
    pub unsafe fn open(
        self,
        range: PhysicalRange,
        protection: Protection,
    ) -> Result<Window, MapError> {
        let start = range.start & !(LARGE_PAGE_BYTES - 1);
        let mapped = PhysicalRange {
            start,
            end: range.end.next_multiple_of(LARGE_PAGE_BYTES),
        };
        // SAFETY: the caller's promise.
        unsafe { self.0.borrow_mut().map_window(mapped, protection)? };
        Ok(Window {
            windows: self,
            range,
            mapped,
        })
    }

    /// Makes the address space in which an instance runs on the seat; see [`MonitorSpace::make_seat_space`].
    ///
    /// # Errors
    /// The table memory does not suffice.
    pub fn make_seat_space(
        self,
        instance: Instance,
        tables: &AddressSpace,
    ) -> Result<PhysAddr, MapError> {
        self.0.borrow_mut().make_seat_space(instance, tables)
    }

    /// Returns the physical address of the monitor's top table.
    pub fn root(self) -> u64 {
        self.0.borrow().root()
    }

    /// Returns the first entry of the monitor's top table, which maps all of the monitor.
    pub fn first_entry(self) -> u64 {
        self.0.borrow().first_entry()
    }

    /// Returns where the physical address `address` can be read until the next call.
    ///
    /// # Errors
    /// The table memory does not suffice.
    ///
    /// # Safety
    /// The space is loaded, and nothing refers to what the last call returned.
    pub unsafe fn peek(self, address: u64) -> Result<*const u8, MapError> {
        // SAFETY: the caller's promise.
        unsafe { self.0.borrow_mut().peek(address) }
    }

    /// Returns how many bytes of page tables are in use.
    pub fn table_bytes(self) -> u64 {
        self.0.borrow().table_bytes()
    }
}

/// An open window. It closes when it is dropped.
#[must_use]
pub struct Window {
    windows: Windows,
    range: PhysicalRange,
    mapped: PhysicalRange,
}

impl Window {
    /// Returns all that it shows.
    pub fn bytes(&self) -> &[u8] {
        self.part(self.range)
    }

    /// Returns what it shows of `part`.
    ///
    /// # Panics
    /// The part is not in the window.
    pub fn part(&self, part: PhysicalRange) -> &[u8] {
        if part.is_empty() {
            return &[];
        }
        assert!(self.range.start <= part.start && part.end <= self.range.end);
        // SAFETY: mapped for as long as the window lives; by the promise that `open` was given, nobody else writes
        // there.
        unsafe { core::slice::from_raw_parts(self.at(part.start), part.len() as usize) }
    }

    /// Returns where it shows the physical address `address`, which is in the window.
    pub fn at(&self, address: u64) -> *mut u8 {
        debug_assert!((self.range.start..=self.range.end).contains(&address));
        (DIRECT_BASE + address) as *mut u8
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: what refers to the window borrows it, or came from `at` and is not used any more by that caller's
        // promise.
        unsafe { self.windows.0.borrow_mut().unmap_window(self.mapped) };
    }
}
