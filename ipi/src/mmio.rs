//! Memory-mapped registers of 32 bits.

use core::ptr;

/// Registers of 32 bits at byte offsets that are multiples of 4.
pub trait Mmio {
    /// Reads the register at `offset`.
    fn read(&self, offset: usize) -> u32;
    /// Writes the register at `offset`.
    fn write(&self, offset: usize, value: u32);
}

/// A mapped region of device registers.
#[derive(Clone, Copy, Debug)]
pub struct MmioRegion {
    base: *mut u8,
    size_bytes: usize,
}

// SAFETY: the value is an address and a length; `new` demands that the mapping is valid wherever the value is used.
// Each access is one aligned transaction on the bus, outside all memory that Rust knows, so accesses from two cores are
// no data race.
unsafe impl Send for MmioRegion {}
// SAFETY: as for `Send`.
unsafe impl Sync for MmioRegion {}

impl MmioRegion {
    /// A region without registers.
    pub(crate) const EMPTY: Self = Self {
        base: ptr::null_mut(),
        size_bytes: 0,
    };

    /// Makes a region of `size_bytes` bytes of registers at `base`.
    ///
    /// # Safety
    /// From the first access to the last, in every address space and on every core the value is used from: `base` is a
    /// multiple of 4, the bytes are mapped uncached and writable, and they are registers for whose effects the user of
    /// the value is responsible.
    pub const unsafe fn new(base: *mut u8, size_bytes: usize) -> Self {
        Self { base, size_bytes }
    }

    fn register(&self, offset: usize) -> *mut u32 {
        // Callers in this crate pass checked offsets. This assertion guards against a mistake, not against input.
        let is_inside = offset
            .checked_add(4)
            .is_some_and(|end| end <= self.size_bytes);
        assert!(
            is_inside && offset.is_multiple_of(4),
            "register {offset:#x} lies outside its region"
        );
        self.base.wrapping_add(offset).cast()
    }
}

impl Mmio for MmioRegion {
    fn read(&self, offset: usize) -> u32 {
        // SAFETY: the register is inside the region (asserted) and aligned, hence a mapped register by the promise to
        // `new`.
        unsafe { ptr::read_volatile(self.register(offset)) }
    }

    fn write(&self, offset: usize, value: u32) {
        // SAFETY: as for `read`; the promise covers the effects of writes.
        unsafe { ptr::write_volatile(self.register(offset), value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_reach_their_words_and_no_other() {
        let mut words = [0_u32, 1, 2, 3];
        // SAFETY: 16 aligned bytes of this test's own, in place of registers.
        let region = unsafe { MmioRegion::new(words.as_mut_ptr().cast(), 16) };
        assert_eq!(region.read(8), 2);
        region.write(12, 7);
        assert_eq!(
            [0, 4, 8, 12].map(|offset| region.read(offset)),
            [0, 1, 2, 7]
        );
    }

    #[test]
    #[should_panic(expected = "register 0x10 lies outside its region")]
    fn an_offset_past_the_end_is_stopped() {
        let mut words = [0_u32; 4];
        // SAFETY: as above.
        unsafe { MmioRegion::new(words.as_mut_ptr().cast(), 16) }.read(16);
    }

    #[test]
    #[should_panic(expected = "lies outside its region")]
    fn the_empty_region_has_no_register() {
        MmioRegion::EMPTY.read(0);
    }
}
