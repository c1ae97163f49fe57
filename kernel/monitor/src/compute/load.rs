//! Loading a compute image into its slice; [`SliceLayout`] says what lies where. The ranks can write to their stacks,
//! to the image's own data, to the control block and to the data, and to nothing else.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ptr;

use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames};
use compute_slice::{SLICE_CONTROL_BYTES, SLICE_STACK_BYTES};
use partition::Image;
use partition::plan::SliceLayout;
use sharedmem::abi::{DIRECT_BASE, IMAGE_BASE, stack_top};
use sharedmem::hand_off::PhysicalRange;

use crate::images::Refusal;
use crate::ranges::physical;
use crate::window::Windows;

/// A piece of an image: a segment.
pub struct Piece<'f> {
    virt: u64,
    bytes: Cow<'f, [u8]>,
    /// Its length in memory, with the zeros behind the bytes.
    mem_bytes: u64,
    is_writable: bool,
}

impl Piece<'_> {
    /// Returns the pieces of an image whose file is `file`.
    pub fn of<'f>(image: &Image, file: &'f [u8]) -> Vec<Piece<'f>> {
        let piece = |segment: &partition::image::Segment| Piece {
            virt: segment.virt,
            bytes: Cow::Borrowed(&file[segment.file_range.clone()]),
            mem_bytes: segment.mem_size,
            is_writable: segment.writable,
        };
        image.segments.iter().map(piece).collect()
    }

    /// Returns a copy of what ranks can change.
    pub fn kept(pieces: &[Piece<'_>]) -> Vec<Piece<'static>> {
        let writable = pieces.iter().filter(|it| it.is_writable);
        let copy = |it: &Piece<'_>| Piece {
            virt: it.virt,
            bytes: Cow::Owned(it.bytes.to_vec()),
            mem_bytes: it.mem_bytes,
            is_writable: true,
        };
        writable.map(copy).collect()
    }
}

/// Copies pieces of an image to their places.
///
/// # Errors
/// The monitor's page tables do not suffice.
///
/// # Safety
/// The slice is laid out so, for this image, and no rank runs.
pub unsafe fn copy(
    windows: Windows,
    layout: &SliceLayout,
    pieces: &[Piece<'_>],
) -> Result<(), Refusal> {
    let place = |piece: &Piece<'_>| layout.image + (piece.virt - IMAGE_BASE);
    let starts = pieces.iter().map(place);
    let ends = pieces.iter().map(|it| place(it) + it.mem_bytes);
    let (Some(start), Some(end)) = (starts.min(), ends.max()) else {
        return Ok(());
    };
    let range = PhysicalRange {
        start: start / PAGE_BYTES * PAGE_BYTES,
        end: end.next_multiple_of(PAGE_BYTES),
    };
    // SAFETY: the slice's memory is nobody else's, and no rank runs.
    let window = unsafe { windows.open(range, Protection::ReadWrite) };
    let window = window.map_err(|error| Refusal::Window("the slice", error))?;
    for piece in pieces {
        let at = window.at(place(piece));
        // SAFETY: `Image::parse` has checked that the segment lies in the file and in the image's window, and the
        // layout has room for all of it.
        unsafe {
            ptr::copy_nonoverlapping(piece.bytes.as_ptr(), at, piece.bytes.len());
            let rest = piece.mem_bytes as usize - piece.bytes.len();
            at.add(piece.bytes.len()).write_bytes(0, rest);
        }
    }
    Ok(())
}

/// Makes the page tables of a slice. Returns the physical address of the top table.
///
/// # Errors
/// The page tables do not suffice.
///
/// # Safety
/// As for [`copy`]; `start_page` is the start page.
pub unsafe fn map(
    windows: Windows,
    image: &Image,
    ranks: u64,
    slice: PhysicalRange,
    layout: &SliceLayout,
    start_page: u64,
) -> Result<u64, Refusal> {
    // SAFETY: as for the image.
    let window = unsafe { windows.open(physical(layout.tables), Protection::ReadWrite) };
    let _window = window.map_err(|error| Refusal::Window("the slice", error))?;
    // SAFETY: the window shows the tables' place; the caller's promise.
    unsafe { map_parts(image, ranks, slice, layout, start_page) }.map_err(Refusal::Tables)
}

/// Makes the page tables, in the window that shows their place.
///
/// # Safety
/// As for [`map`].
unsafe fn map_parts(
    image: &Image,
    ranks: u64,
    slice: PhysicalRange,
    layout: &SliceLayout,
    start_page: u64,
) -> Result<u64, MapError> {
    let frames = TableFrames::new(layout.tables.start, layout.tables.end);
    // SAFETY: each mapping gives the ranks what is their own, or the start page, to come and go through.
    unsafe {
        let mut space = AddressSpace::new(DIRECT_BASE, frames).ok_or(MapError::NoTableMemory)?;
        space.use_huge_pages();
        for segment in &image.segments {
            let protection = match (segment.writable, segment.executable) {
                (true, _) => Protection::ReadWrite,
                (false, true) => Protection::ReadExecute,
                (false, false) => Protection::ReadOnly,
            };
            let pages = segment.pages();
            let phys = layout.image + (pages.start - IMAGE_BASE);
            space.map(pages.start, phys, pages.len(), protection)?;
        }
        for rank in 0..ranks {
            let virt = stack_top(rank as usize) - SLICE_STACK_BYTES;
            let phys = layout.stacks + rank * SLICE_STACK_BYTES;
            space.map(virt, phys, SLICE_STACK_BYTES, Protection::ReadWrite)?;
        }
        let own = [
            (slice.start, slice.start + SLICE_CONTROL_BYTES),
            (layout.data, slice.end),
        ];
        for (start, end) in own {
            space.map(
                DIRECT_BASE + start,
                start,
                end - start,
                Protection::ReadWrite,
            )?;
        }
        space.map(start_page, start_page, PAGE_BYTES, Protection::ReadExecute)?;
        let scratch = start_page + PAGE_BYTES;
        space.map(scratch, scratch, PAGE_BYTES, Protection::ReadWrite)?;
        Ok(space.root().as_u64())
    }
}
