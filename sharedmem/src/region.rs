//! The mapping layer: turns an address into references to atomics. Only here does raw memory become shared structures.

use crate::sync::AtomicU64;

use crate::abi::CONTROL_BYTES;
use crate::control::{Control, RegionError};

/// The shared region, as this kernel maps it.
#[derive(Clone, Copy, Debug)]
pub struct SharedRegion {
    /// The control block.
    pub control: &'static Control,
    /// The journal's ring.
    pub journal: &'static [AtomicU64],
}

impl SharedRegion {
    /// Makes a new region in `bytes` bytes of zeroed memory at `address`.
    ///
    /// # Errors
    /// Returns [`RegionError::Size`] if there is no room for a journal.
    ///
    /// # Safety
    /// `address` is 4 KiB aligned. The `bytes` bytes there are mapped, readable and writable, for as long as this
    /// kernel runs, and every kernel accesses them by atomics only.
    pub unsafe fn create(
        address: *mut u8,
        bytes: u64,
        journal_salt: u64,
    ) -> Result<Self, RegionError> {
        let journal_bytes = bytes
            .checked_sub(CONTROL_BYTES as u64)
            .filter(|rest| *rest >= 4096 && rest.is_multiple_of(8));
        let Some(journal_bytes) = journal_bytes else {
            return Err(RegionError::Size(bytes));
        };
        // SAFETY: the caller promises what `at` demands.
        let region = unsafe { Self::at(address, journal_bytes) };
        region
            .control
            .header
            .initialise(bytes, journal_bytes, journal_salt);
        Ok(region)
    }

    /// Opens a region that another kernel made.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    ///
    /// # Safety
    /// As for [`create`](Self::create).
    pub unsafe fn open(address: *mut u8, bytes: u64) -> Result<Self, RegionError> {
        if bytes < CONTROL_BYTES as u64 {
            return Err(RegionError::Size(bytes));
        }
        // SAFETY: the caller promises what `at` demands. The ring's length comes from the size of the memory, not from
        // the header.
        let region = unsafe { Self::at(address, bytes - CONTROL_BYTES as u64) };
        region.control.header.check(bytes)?;
        Ok(region)
    }

    unsafe fn at(address: *mut u8, journal_bytes: u64) -> Self {
        // SAFETY: the memory is mapped for ever, aligned to a page (`Control` needs 128 bytes), and holds CONTROL_BYTES
        // + journal_bytes. `Control` and `[AtomicU64]` consist of atomics only, for which every bit pattern is valid
        // and other writers are allowed.
        unsafe {
            Self {
                control: &*address.cast::<Control>(),
                journal: core::slice::from_raw_parts(
                    address.add(CONTROL_BYTES).cast::<AtomicU64>(),
                    (journal_bytes / 8) as usize,
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Ordering;
    use crate::words::Words;
    use std::alloc::{Layout, alloc_zeroed};

    #[test]
    fn what_one_side_creates_the_other_opens() {
        let bytes = CONTROL_BYTES + (1 << 16);
        let layout = Layout::from_size_align(bytes, 4096).unwrap();
        // SAFETY: the layout is not empty; the memory is zeroed, page aligned and never freed.
        let (memory, primary) = unsafe {
            let memory = alloc_zeroed(layout);
            assert!(matches!(
                SharedRegion::open(memory, bytes as u64),
                Err(RegionError::Magic(0))
            ));
            (
                memory,
                SharedRegion::create(memory, bytes as u64, 42).unwrap(),
            )
        };
        // SAFETY: as above.
        let backup = unsafe { SharedRegion::open(memory, bytes as u64).unwrap() };
        primary.journal.store(17, 5, Ordering::Relaxed);
        primary.control.epoch.reset(3);
        assert_eq!(
            (
                backup.journal.load(17, Ordering::Relaxed),
                backup.control.epoch.current()
            ),
            (5, 3)
        );
        assert_eq!(Words::len(backup.journal), (1 << 16) / 8);
    }
}
