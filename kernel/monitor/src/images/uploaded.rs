//! Images that the operator uploaded: verified where they lie in the primary's memory, then stored at the end of the
//! other instance's slice, from where they are loaded, again and again.

use alloc::boxed::Box;
use core::ptr;

use arch::paging::{LARGE_PAGE_BYTES, Protection};
use partition::Image;
use sharedmem::Instance;
use sharedmem::hand_off::PhysicalRange;
use supervisor::{LoadRequest, Source};

use super::context::Context;
use super::native;
use super::refusal::Refusal;
use crate::ranges;
use crate::tenants::Tenant;
use crate::window::Window;

/// The largest one, as a part of the slice: the rest is the service's.
const SLICE_PART: u64 = 8;

/// Loads the image in `file`, which lies at the end of the instance's slice and is not given to it.
///
/// # Errors
/// Why it is not used.
pub fn load(
    context: &Context,
    request: &LoadRequest<'_>,
    file: PhysicalRange,
) -> Result<Box<Tenant>, Refusal> {
    let mut slice = ranges::slice(context.plan, request.instance);
    if let Some(first) = slice.first_mut() {
        first.end = file.start & !(LARGE_PAGE_BYTES - 1);
    }
    // SAFETY: the file is in nobody's hands: the slice that is given to the instance ends before it.
    let window = unsafe { open(context, file, Protection::ReadOnly)? };
    let image = Image::parse(context.name_of(request.source), window.bytes())?;
    native::load_image(context, request, &image, window.bytes(), &slice)
}

/// Checks an image that lies in the slice of `primary`. Changes nothing.
///
/// # Errors
/// Why it cannot be the other instance's.
pub fn verify(context: &Context, primary: Instance, file: PhysicalRange) -> Result<(), Refusal> {
    let kinds = context.plan.kinds.both();
    if let Some(kind) = kinds.iter().find(|kind| !kind.capabilities.accepts_upload) {
        return Err(Refusal::NoUploads(kind));
    }
    let is_in = |range: &PhysicalRange| range.start <= file.start && file.end <= range.end;
    if file.is_empty() || !ranges::slice(context.plan, primary).iter().any(is_in) {
        return Err(Refusal::Outside);
    }
    let room_bytes = room_bytes(context, primary.other());
    if file.len() > room_bytes {
        return Err(Refusal::TooLarge(file.len(), room_bytes));
    }
    // SAFETY: the primary waits for the answer before it touches this again, and if it does not, the copy is checked
    // once more.
    let window = unsafe { open(context, file, Protection::ReadOnly)? };
    let image = Image::parse(context.name_of(Source::Uploaded(file)), window.bytes())?;
    native::check_revisions(&image)
}

/// Returns how many bytes an image for an instance may have.
fn room_bytes(context: &Context, instance: Instance) -> u64 {
    let slice = ranges::slice(context.plan, instance);
    slice.first().map_or(0, PhysicalRange::len) / SLICE_PART
}

/// Copies an image that was [verified](verify) to the end of an instance's slice. Nothing of the instance runs.
///
/// # Errors
/// The page tables do not suffice.
pub fn store(
    context: &Context,
    instance: Instance,
    file: PhysicalRange,
) -> Result<Source, Refusal> {
    let slice = ranges::slice(context.plan, instance);
    let slice_end = slice.first().map_or(0, |first| first.end);
    let start = (slice_end - file.len()) & !(LARGE_PAGE_BYTES - 1);
    let stored = PhysicalRange {
        start,
        end: start + file.len(),
    };
    // SAFETY: the primary's copy is only read; the place it goes to is in the slice of an instance that does not run.
    unsafe {
        let from = open(context, file, Protection::ReadOnly)?;
        let to = open(context, stored, Protection::ReadWrite)?;
        let bytes = file.len() as usize;
        ptr::copy_nonoverlapping(from.at(file.start), to.at(stored.start), bytes);
    }
    Ok(Source::Uploaded(stored))
}

/// Opens a window onto an uploaded image.
///
/// # Safety
/// While the window is open nobody writes to the range but through it.
unsafe fn open(
    context: &Context,
    range: PhysicalRange,
    protection: Protection,
) -> Result<Window, Refusal> {
    // SAFETY: the caller's promise.
    let window = unsafe { context.windows.open(range, protection) };
    window.map_err(|error| Refusal::Window("the image", error))
}
