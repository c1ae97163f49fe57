//! Registers and tables of the IOMMUs, as the monitor reaches them.

use core::arch::x86_64::{_mm_clflush, _mm_mfence};
use core::ptr;

use iommu::{Registers, TableMemory};

/// The registers of a unit.
#[derive(Debug)]
pub struct UnitRegisters(u64);

impl UnitRegisters {
    /// Makes the way to the registers that are mapped at `address`.
    ///
    /// # Safety
    /// As many pages of them as are used are mapped there, uncached, for as long as this is used; and nobody else
    /// uses them.
    pub unsafe fn new(address: u64) -> Self {
        Self(address)
    }
}

impl Registers for UnitRegisters {
    fn read32(&mut self, offset: u64) -> u32 {
        // SAFETY: by the promise that `new` was given.
        unsafe { ptr::read_volatile((self.0 + offset) as *const u32) }
    }

    fn read64(&mut self, offset: u64) -> u64 {
        // SAFETY: as above.
        unsafe { ptr::read_volatile((self.0 + offset) as *const u64) }
    }

    fn write32(&mut self, offset: u64, value: u32) {
        // SAFETY: as above; the fence needs nothing. It also orders lines that were written back.
        unsafe {
            _mm_mfence();
            ptr::write_volatile((self.0 + offset) as *mut u32, value);
        }
    }

    fn write64(&mut self, offset: u64, value: u64) {
        // SAFETY: as above.
        unsafe {
            _mm_mfence();
            ptr::write_volatile((self.0 + offset) as *mut u64, value);
        }
    }
}

/// Memory in which only the IOMMUs' tables are.
#[derive(Debug)]
pub struct MappedMemory(u64);

impl MappedMemory {
    /// Makes the way to that memory, which is mapped at `base` plus its physical address.
    ///
    /// # Safety
    /// All addresses that are used are mapped there, and are nobody else's.
    pub unsafe fn new(base: u64) -> Self {
        Self(base)
    }
}

impl TableMemory for MappedMemory {
    fn read(&mut self, address: u64) -> u64 {
        // SAFETY: by the promise that `new` was given; hardware writes there, too, so the read is volatile.
        unsafe { ptr::read_volatile((self.0 + address) as *const u64) }
    }

    fn write(&mut self, address: u64, value: u64) {
        // SAFETY: as above.
        unsafe { ptr::write_volatile((self.0 + address) as *mut u64, value) }
    }

    fn write_back(&mut self, address: u64) {
        // SAFETY: as above. All processors with long mode have the instruction.
        unsafe { _mm_clflush((self.0 + address) as *const u8) }
    }
}
