//! Loading a native instance: its image, stacks, page tables and hand-off, into the start of its slice.
//!
//! What lies in the slice, from its first byte: hand-off, image, stacks, page tables; the rest is the instance's own.

use core::fmt;
use core::ptr;

use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames};
use partition::image::Image;
use sharedmem::MAX_CORES;
use sharedmem::abi::{DIRECT_BASE, IMAGE_BASE, SEAT_STACK, STACK_BYTES, stack_top};
use sharedmem::hand_off::{HandOff, PhysicalRange};
use x86_64::PhysAddr;

use crate::memory::MonitorSpace;

const HAND_OFF_BYTES: u64 = (size_of::<HandOff>() as u64).next_multiple_of(PAGE_BYTES);

/// Page tables for image, stacks and trampoline, and for devices to come; the direct map takes one page per GiB more.
const TABLE_PAGES: u64 = 96;

/// An instance in its slice, ready to be entered.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Entry point.
    pub entry: u64,
    /// Its own top page table.
    pub page_table: PhysAddr,
    /// The top page table to run it on the seat.
    pub seat_page_table: PhysAddr,
    /// Address of the hand-off in its address space.
    pub hand_off: u64,
    /// Bytes the image, the stacks and the page tables take.
    pub fixed_bytes: u64,
}

/// Why an instance could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The slice is too small: bytes needed at its start, bytes there.
    TooSmall(u64, u64),
    /// Page tables could not be made.
    Map(MapError),
}

impl From<MapError> for LoadError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

/// Where things go in the first range of a slice.
struct Layout {
    hand_off: u64,
    image: u64,
    stacks: u64,
    tables: PhysicalRange,
    free: u64,
}

impl Layout {
    fn of(image: &Image, cores: usize, ranges: &[PhysicalRange]) -> Result<Self, LoadError> {
        let range = ranges.first().copied().unwrap_or_default();
        let image_bytes = image
            .segments
            .iter()
            .map(|s| s.virt + s.mem_size - IMAGE_BASE)
            .max()
            .unwrap_or(0);
        let direct_gib = ranges.iter().map(|r| r.len() / (1 << 30) + 2).sum::<u64>();
        let hand_off = range.start;
        let image = hand_off + HAND_OFF_BYTES;
        let stacks = image + image_bytes.next_multiple_of(PAGE_BYTES);
        let tables = stacks + (cores as u64 + 1) * STACK_BYTES;
        let free = tables + (TABLE_PAGES + direct_gib) * PAGE_BYTES;
        if free > range.end {
            return Err(LoadError::TooSmall(free - range.start, range.len()));
        }
        Ok(Self {
            hand_off,
            image,
            stacks,
            tables: PhysicalRange {
                start: tables,
                end: free,
            },
            free,
        })
    }
}

/// Loads `image` (whose file is `bytes`) into `ranges`, with `hand_off` completed and written. Cores in the hand-off get a stack each,
/// and the seat gets one.
///
/// # Errors
/// The slice is too small.
///
/// # Safety
/// The monitor's space is loaded; `ranges` are the instance's and nothing of it runs; `start_page` and `hand_off.shared` are what they say.
pub unsafe fn load(
    space: &mut MonitorSpace,
    image: &Image,
    bytes: &[u8],
    ranges: &[PhysicalRange],
    start_page: u64,
    hand_off: &mut HandOff,
) -> Result<Loaded, LoadError> {
    let cores = (hand_off.core_count as usize).min(MAX_CORES);
    let layout = Layout::of(image, cores, ranges)?;
    let window = PhysicalRange {
        start: layout.hand_off,
        end: layout.free,
    };
    // SAFETY: the slice is free by the caller's promise, and nothing refers to it after this.
    unsafe {
        space.with_window(window, Protection::ReadWrite, |space| {
            let target = (DIRECT_BASE + window.start) as *mut u8;
            target.write_bytes(0, window.len() as usize);
            copy_image(image, bytes, layout.image);
            let instance =
                map_instance(image, cores, ranges, &layout, start_page, hand_off.shared)?;
            let seat_page_table = space.make_seat_space(hand_off.instance(), &instance)?;
            hand_off.page_table = instance.root().as_u64();
            hand_off.table_frames = PhysicalRange {
                start: instance.next_table_frame(),
                end: layout.tables.end,
            };
            hand_off.free_start = layout.free;
            for (slot, range) in hand_off.ranges.iter_mut().zip(ranges) {
                *slot = *range;
            }
            ptr::write(
                (DIRECT_BASE + layout.hand_off) as *mut HandOff,
                hand_off.clone(),
            );
            Ok(Loaded {
                entry: image.entry,
                page_table: instance.root(),
                seat_page_table,
                hand_off: DIRECT_BASE + layout.hand_off,
                fixed_bytes: layout.free - layout.hand_off,
            })
        })?
    }
}

/// Copies the segments to where they go; what a file does not fill stays zero.
///
/// # Safety
/// The window covers the image's place; `Image::parse` has checked that segments lie in the file and above [`IMAGE_BASE`].
unsafe fn copy_image(image: &Image, bytes: &[u8], place: u64) {
    for segment in &image.segments {
        let target = (DIRECT_BASE + place + (segment.virt - IMAGE_BASE)) as *mut u8;
        let source = &bytes[segment.file_range.clone()];
        // SAFETY: the caller's promise.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), target, source.len()) };
    }
}

/// Makes the instance's page tables.
///
/// # Safety
/// As for [`load`]; the window is open.
unsafe fn map_instance(
    image: &Image,
    cores: usize,
    ranges: &[PhysicalRange],
    layout: &Layout,
    start_page: u64,
    shared: PhysicalRange,
) -> Result<AddressSpace, MapError> {
    let frames = TableFrames::new(layout.tables.start, layout.tables.end);
    // SAFETY: the tables' place is in the window. Each mapping gives the instance what is its own: its image, its stacks, its slice,
    // the shared region; and the start page, to come and go through.
    unsafe {
        let mut instance = AddressSpace::new(DIRECT_BASE, frames).ok_or(MapError::NoTableMemory)?;
        for segment in &image.segments {
            let protection = match (segment.writable, segment.executable) {
                (true, _) => Protection::ReadWrite,
                (false, true) => Protection::ReadExecute,
                (false, false) => Protection::ReadOnly,
            };
            let start = segment.virt & !(PAGE_BYTES - 1);
            let bytes = segment.virt + segment.mem_size - start;
            instance.map(
                start,
                layout.image + (start - IMAGE_BASE),
                bytes,
                protection,
            )?;
        }
        for (index, core) in (0..cores).chain([SEAT_STACK]).enumerate() {
            let phys = layout.stacks + index as u64 * STACK_BYTES;
            instance.map(
                stack_top(core) - STACK_BYTES,
                phys,
                STACK_BYTES,
                Protection::ReadWrite,
            )?;
        }
        for range in ranges {
            instance.map(
                DIRECT_BASE + range.start,
                range.start,
                range.len(),
                Protection::ReadWrite,
            )?;
        }
        instance.map(
            DIRECT_BASE + shared.start,
            shared.start,
            shared.len(),
            Protection::ReadWrite,
        )?;
        instance.map(start_page, start_page, PAGE_BYTES, Protection::ReadExecute)?;
        Ok(instance)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall(needed, there) => write!(
                f,
                "it needs {} KiB at the start of its slice, which has {} KiB",
                needed.div_ceil(1024),
                there / 1024
            ),
            Self::Map(error) => write!(f, "its page tables cannot be made: {error:?}"),
        }
    }
}
