//! Images that the operator brought: verified where they lie in the primary's memory, then kept at the end of the other instance's slice, from where they
//! are loaded, again and again.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::ptr;

use arch::paging::{LARGE_PAGE_BYTES, Protection};
use partition::Image;
use sharedmem::Instance;
use sharedmem::abi::DIRECT_BASE;
use sharedmem::hand_off::PhysicalRange;
use supervisor::Source;

use super::{Loader, check_revisions, visible};
use crate::platform::Tenant;

/// What an image that the operator brought is called.
pub const NAME: &str = "the image that was brought";

/// The largest one, as a part of the slice: the rest is the service's.
const SLICE_PART: u64 = 8;

impl Loader {
    /// Loads the image in `file`, which lies at the end of the instance's slice and is not given to it.
    pub(super) fn load_uploaded(
        &mut self,
        instance: Instance,
        file: PhysicalRange,
        cores: &[u32],
    ) -> Result<Box<Tenant>, String> {
        let mut ranges = self.slice(instance);
        if let Some(first) = ranges.first_mut() {
            first.end = file.start & !(LARGE_PAGE_BYTES - 1);
        }
        // SAFETY: the file is in nobody's hands: the slice that is given to the instance ends before it.
        let window = unsafe { self.space.open_window(file, Protection::ReadOnly) }
            .map_err(|error| alloc::format!("no page tables for the image: {error:?}"))?;
        // SAFETY: the window is open until the end of this function.
        let bytes = unsafe { visible(file) };
        let loaded = Image::parse(NAME, bytes)
            .map_err(|error| error.to_string())
            .and_then(|image| {
                let source = Source::Uploaded(file);
                self.load_native(instance, source, &image, bytes, &ranges, cores)
            });
        // SAFETY: nothing refers to the window any more.
        unsafe { self.space.close_window(window) };
        loaded
    }

    /// Checks an image that the operator brought and that lies in `owner`'s slice. Nothing is changed.
    ///
    /// # Errors
    /// Why it cannot be the other instance's.
    pub fn verify_uploaded(&mut self, owner: Instance, file: PhysicalRange) -> Result<(), String> {
        let kinds = self.ready.plan.kinds.both();
        if let Some(kind) = kinds.iter().find(|kind| !kind.capabilities.accepts_upload) {
            return Err(alloc::format!(
                "beside a {kind} no native image can be loaded"
            ));
        }
        let is_in = |range: &PhysicalRange| range.start <= file.start && file.end <= range.end;
        if file.is_empty() || !self.slice(owner).iter().any(is_in) {
            return Err("the image is not in the primary's memory".to_string());
        }
        let room_bytes = self.room_for_uploaded(owner.other());
        if file.len() > room_bytes {
            return Err(alloc::format!(
                "the image has {} KiB; there is room for {} KiB",
                file.len().div_ceil(1024),
                room_bytes / 1024
            ));
        }
        // SAFETY: the primary waits for the answer before it touches this again, and if it does not, the copy is checked once more.
        let window = unsafe { self.space.open_window(file, Protection::ReadOnly) }
            .map_err(|error| alloc::format!("no page tables for the image: {error:?}"))?;
        // SAFETY: the window is open until the end of this function.
        let bytes = unsafe { visible(file) };
        let verdict = Image::parse(NAME, bytes)
            .map_err(|error| error.to_string())
            .and_then(|image| check_revisions(&image));
        // SAFETY: nothing refers to the window any more.
        unsafe { self.space.close_window(window) };
        verdict
    }

    /// Bytes that an image for an instance may have.
    fn room_for_uploaded(&self, instance: Instance) -> u64 {
        let first = self.slice(instance).first().copied().unwrap_or_default();
        first.len() / SLICE_PART
    }

    /// Copies an image that was [verified](Self::verify_uploaded) to the end of an instance's slice, where it stays. Nothing of the instance runs.
    ///
    /// # Errors
    /// The page tables do not suffice.
    pub fn store_uploaded(
        &mut self,
        instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, String> {
        let slice = self.slice(instance).first().copied().unwrap_or_default();
        let start = (slice.end - file.len()) & !(LARGE_PAGE_BYTES - 1);
        let kept = PhysicalRange {
            start,
            end: start + file.len(),
        };
        let no_tables = |error| alloc::format!("no page tables for the image: {error:?}");
        // SAFETY: the primary's copy is only read; the place it goes to is in the slice of an instance that does not run.
        unsafe {
            let from = self
                .space
                .open_window(file, Protection::ReadOnly)
                .map_err(no_tables)?;
            let copied = self
                .space
                .with_window(kept, Protection::ReadWrite, |_| {
                    ptr::copy_nonoverlapping(
                        (DIRECT_BASE + file.start) as *const u8,
                        (DIRECT_BASE + kept.start) as *mut u8,
                        file.len() as usize,
                    );
                })
                .map_err(no_tables);
            self.space.close_window(from);
            copied?;
        }
        Ok(Source::Uploaded(kept))
    }
}
