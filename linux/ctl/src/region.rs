//! The memory that the module maps: the shared region and the spare slot. The types of the region allow for other
//! writers; this file only promises that the memory stays mapped.

use std::fs::File;
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::RegionError;
use sharedmem::device::{SHARED_OFFSET, SPARE_OFFSET};
use sharedmem::{Control, SharedRegion};

use crate::problem::Problem;

/// Maps the control block of a region of `region_bytes`. It leaves out the journal's ring, because mapping one megabyte
/// of it takes as long as mapping the whole block.
///
/// # Errors
/// Returns an error if the module refuses, or if there is no shared region.
pub fn map_control(file: &File, region_bytes: u64) -> Result<&'static Control, Problem> {
    let address = map(file, CONTROL_BYTES as u64, SHARED_OFFSET)?;
    // SAFETY: CONTROL_BYTES are mapped from the start of a page, and never unmapped. A control block consists of
    // atomics, for which every bit pattern is valid and other writers are allowed.
    let control = unsafe { address.cast::<Control>().as_ref() };
    control.header.check(region_bytes)?;
    Ok(control)
}

/// Maps a whole region of `region_bytes`.
///
/// # Errors
/// Returns the errors of [`map_control`].
pub fn map_whole(file: &File, region_bytes: u64) -> Result<SharedRegion, Problem> {
    if region_bytes <= CONTROL_BYTES as u64 {
        return Err(RegionError::Size(region_bytes).into());
    }
    let address = map(file, region_bytes, SHARED_OFFSET)?;
    // SAFETY: `region_bytes` are mapped from the start of a page, for reading and writing, and never unmapped. Every
    // kernel and program accesses them by atomics only.
    Ok(unsafe { SharedRegion::open(address.as_ptr(), region_bytes) }?)
}

/// The spare slot. This program writes it before a backup is loaded there, and never reads it.
pub struct SpareSlot {
    address: NonNull<u8>,
    bytes: u64,
}

impl SpareSlot {
    /// Maps the slot, which has `bytes` bytes.
    ///
    /// # Errors
    /// Returns an error if the module refuses: this is not the primary, or a backup waits there.
    pub fn map(file: &File, bytes: u64) -> Result<Self, Problem> {
        let address = map(file, bytes, SPARE_OFFSET)?;
        Ok(Self { address, bytes })
    }

    /// Writes `part` at `offset`, in bytes.
    ///
    /// # Errors
    /// Returns an error if it does not fit.
    pub fn write(&mut self, offset: u64, part: &[u8]) -> Result<(), Problem> {
        let end = offset.checked_add(part.len() as u64);
        if end.is_none_or(|end| end > self.bytes) {
            return Err(Problem::No(format!(
                "{} bytes at {offset:#x} are not in the spare slot of {} bytes",
                part.len(),
                self.bytes
            )));
        }
        // SAFETY: the part ends inside the mapping, as was checked. Nothing else uses the slot while no backup is
        // loaded, and it is not memory of this program.
        unsafe {
            let target = self.address.add(offset as usize);
            ptr::copy_nonoverlapping(part.as_ptr(), target.as_ptr(), part.len());
        }
        Ok(())
    }
}

impl Drop for SpareSlot {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made above, and nothing borrows from it. If munmap fails, it stays mapped, which
        // is harmless.
        let _ = unsafe { munmap(self.address.cast(), self.bytes as usize) };
    }
}

fn map(file: &File, bytes: u64, offset: u64) -> Result<NonNull<u8>, Problem> {
    let length = usize::try_from(bytes).ok().and_then(NonZeroUsize::new);
    let length = length.ok_or_else(|| Problem::No("the range is empty".into()))?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of this program.
    unsafe {
        mmap(
            None,
            length,
            access,
            MapFlags::MAP_SHARED,
            file,
            offset as i64,
        )
    }
    .map(NonNull::cast)
    .map_err(Problem::with("mapping the shared memory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::Revisions;
    use std::sync::atomic::Ordering;

    /// Makes a file in place of the device. The program can map either.
    fn region_file(bytes: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(bytes).unwrap();
        file
    }

    #[test]
    fn a_region_is_opened_as_it_was_made_and_refused_by_what_is_wrong() {
        let bytes = CONTROL_BYTES as u64 + (1 << 16);
        let file = region_file(bytes);
        assert_eq!(map_control(&file, bytes).unwrap_err().exit_code(), 3);
        let address = map(&file, bytes, 0).unwrap();
        // SAFETY: the memory is mapped for ever, as in `map_whole`.
        unsafe { SharedRegion::create(address.as_ptr(), bytes, 7) }.unwrap();
        let control = map_control(&file, bytes).unwrap();
        let whole = map_whole(&file, bytes).unwrap();
        control.epoch.reset(5);
        assert_eq!(whole.control.epoch.current(), 5);
        assert_eq!(whole.journal.len(), (1 << 16) / 8);
        assert!(map_whole(&file, 4096).is_err());
        let own = Revisions::OWN;
        for abi in [own.abi - 1, own.abi + 1] {
            let found = Revisions { abi, ..own };
            control
                .header
                .revisions
                .store(found.word(), Ordering::Relaxed);
            for problem in [
                map_control(&file, bytes).unwrap_err(),
                map_whole(&file, bytes).unwrap_err(),
            ] {
                let text = problem.to_string();
                let names = |revisions: Revisions| text.contains(&revisions.to_string());
                assert!(names(found) && names(own), "{text}");
                assert_eq!(problem.exit_code(), 3);
            }
        }
    }

    #[test]
    fn what_is_staged_stays_in_the_slot() {
        let file = region_file(0);
        file.set_len(SPARE_OFFSET + 8192).unwrap();
        let mut slot = SpareSlot::map(&file, 8192).unwrap();
        slot.write(4096, &[7; 4096]).unwrap();
        assert!(slot.write(4097, &[7; 4096]).is_err());
        assert!(slot.write(u64::MAX, &[7]).is_err());
        use std::os::unix::fs::FileExt;
        let mut read = [0; 2];
        file.read_exact_at(&mut read, SPARE_OFFSET + 4095).unwrap();
        assert_eq!(read, [0, 7]);
    }
}
