//! Loading a compute image into its slice.
//!
//! What lies in a slice, from its first byte: control block, image, stacks, page tables; then the data, from a large
//! page's boundary to the end. The ranks can write to their stacks, to the image's own data, to the control block and
//! to the data, and to nothing else.

use core::ptr;

use arch::paging::{AddressSpace, LARGE_PAGE_BYTES, MapError, PAGE_BYTES, Protection, TableFrames};
use compute_slice::{SLICE_CONTROL_BYTES, SLICE_STACK_BYTES};
use partition::Image;
use sharedmem::abi::{DIRECT_BASE, IMAGE_BASE, STACK_STRIDE, stack_top};
use sharedmem::hand_off::PhysicalRange;

use crate::images::Refusal;
use crate::window::Windows;

/// Page tables for whatever the size of the slice: the top table, and two levels below it for image, stacks, direct map
/// and start page.
const TABLE_PAGES: u64 = 24;

/// Where things are in a slice.
#[derive(Clone, Copy)]
pub struct Layout {
    image: u64,
    image_bytes: u64,
    stacks: u64,
    tables: PhysicalRange,
    /// Where the data begins.
    pub data: u64,
}

impl Layout {
    /// Lays out a slice for `image` and this many ranks.
    ///
    /// # Errors
    /// It is too small.
    pub fn of(image: &Image, ranks: u64, slice: PhysicalRange) -> Result<Self, Refusal> {
        let ends = image.segments.iter().map(|it| it.pages().end - IMAGE_BASE);
        let image_bytes = ends.max().unwrap_or(0);
        let start = slice.start + SLICE_CONTROL_BYTES;
        let stacks = start + image_bytes;
        let tables = stacks + ranks * SLICE_STACK_BYTES;
        // One table for each 2 MiB of image and stacks, and for each GiB of the direct map.
        let small = image_bytes / LARGE_PAGE_BYTES + (ranks * STACK_STRIDE) / LARGE_PAGE_BYTES;
        let pages = TABLE_PAGES + small + slice.len() / (1 << 30);
        let tables_end = tables + pages * PAGE_BYTES;
        let data = tables_end.next_multiple_of(LARGE_PAGE_BYTES);
        // At least a large page of data.
        let needed = data + LARGE_PAGE_BYTES;
        if needed > slice.end {
            return Err(Refusal::TooSmall(needed - slice.start, slice.len()));
        }
        Ok(Self {
            image: start,
            image_bytes,
            stacks,
            tables: PhysicalRange {
                start: tables,
                end: tables_end,
            },
            data,
        })
    }

    fn image_range(&self) -> PhysicalRange {
        PhysicalRange {
            start: self.image,
            end: self.image + self.image_bytes,
        }
    }
}

/// Copies an image, whose file is `bytes`, to its place. With `only_writable` no more than what ranks may have changed.
///
/// # Errors
/// The monitor's page tables do not suffice.
///
/// # Safety
/// The slice is laid out so, and no rank runs.
pub unsafe fn copy_image(
    windows: Windows,
    image: &Image,
    bytes: &[u8],
    layout: &Layout,
    only_writable: bool,
) -> Result<(), Refusal> {
    // SAFETY: the slice's memory is nobody else's, and no rank runs.
    let window = unsafe { windows.open(layout.image_range(), Protection::ReadWrite) };
    let window = window.map_err(|error| Refusal::Window("the slice", error))?;
    let changed = image.segments.iter();
    for segment in changed.filter(|it| it.writable || !only_writable) {
        let at = window.at(layout.image + (segment.virt - IMAGE_BASE));
        let source = &bytes[segment.file_range.clone()];
        // SAFETY: `Image::parse` has checked that the segment lies in the file and in the image's window, and the
        // layout has room for all of it.
        unsafe {
            ptr::copy_nonoverlapping(source.as_ptr(), at, source.len());
            let rest = segment.mem_size as usize - source.len();
            at.add(source.len()).write_bytes(0, rest);
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
/// As for [`copy_image`]; `start_page` is the start page.
pub unsafe fn map(
    windows: Windows,
    image: &Image,
    ranks: u64,
    slice: PhysicalRange,
    layout: &Layout,
    start_page: u64,
) -> Result<u64, Refusal> {
    // SAFETY: as for the image.
    let window = unsafe { windows.open(layout.tables, Protection::ReadWrite) };
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
    layout: &Layout,
    start_page: u64,
) -> Result<u64, MapError> {
    let frames = TableFrames::new(layout.tables.start, layout.tables.end);
    // SAFETY: each mapping gives the ranks what is their own, or the start page, to come and go through.
    unsafe {
        let mut space = AddressSpace::new(DIRECT_BASE, frames).ok_or(MapError::NoTableMemory)?;
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
