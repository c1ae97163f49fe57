//! Loading a native instance: its image, stacks, page tables and hand-off, into the start of its slice.
//!
//! What lies in the slice, from its first byte: hand-off, image, stacks, page tables; the rest is the instance's own.

use alloc::boxed::Box;
use core::ptr;

use arch::paging::{AddressSpace, MapError, PAGE_BYTES, Protection, TableFrames};
use partition::tenant::NATIVE;
use partition::{BootFiles, Image};
use sharedmem::Revisions;
use sharedmem::abi::{DIRECT_BASE, IMAGE_BASE, SEAT_STACK, STACK_STRIDE, stack_bytes, stack_top};
use sharedmem::hand_off::{HandOff, PhysicalRange};
use supervisor::{LoadRequest, Source};

use super::context::Context;
use super::refusal::Refusal;
use crate::constant::ConstantMemory;
use crate::guest::Loaded;
use crate::hand_off::native as hand_off;
use crate::ranges;
use crate::tenants::Tenant;
use crate::tenants::native::Native;

const HAND_OFF_BYTES: u64 = (size_of::<HandOff>() as u64).next_multiple_of(PAGE_BYTES);

/// Page tables for image and trampoline, and for devices to come; the direct map takes one page per GiB more, and
/// stacks one per 2 MiB.
const TABLE_PAGES: u64 = 96;

/// Every entry of a page table.
const WHOLE_TABLE: core::ops::Range<u16> = 0..512;

/// What a page table maps, in bytes.
const TABLE_REACH_BYTES: u64 = 2 << 20;

/// Loads the native image that the boot line names.
///
/// # Errors
/// Why it is not used.
pub fn load(
    context: &Context,
    request: &LoadRequest<'_>,
    files: &BootFiles<'_>,
) -> Result<Box<Tenant>, Refusal> {
    if let Source::Staged(_) = request.source {
        return Err(Refusal::WrongKind(&NATIVE));
    }
    let (image, bytes) = Image::load(files, context.name_of(request.source))?;
    let slice = ranges::slice(context.plan, request.instance);
    load_image(context, request, &image, bytes, &slice)
}

/// Loads `image`, whose file is `bytes`, into `slice`.
///
/// # Errors
/// Why it is not used.
pub fn load_image(
    context: &Context,
    request: &LoadRequest<'_>,
    image: &Image,
    bytes: &[u8],
    slice: &[PhysicalRange],
) -> Result<Box<Tenant>, Refusal> {
    check_revisions(image)?;
    log::info!(
        "{}: version {}, {} KiB",
        image.path,
        image.version,
        image.size_bytes().div_ceil(1024)
    );
    let (facts, plan) = (context.facts, context.plan);
    let mut hand_off = hand_off::make(facts, plan, request, context.entropy);
    // SAFETY: the instance's slice is its own by the plan, and nothing of it runs.
    let loaded = unsafe { put(context, image, bytes, slice, &mut hand_off)? };
    let constant = learn(context, slice, &loaded)?;
    Ok(Box::new(Native::new(
        request,
        image.version.clone(),
        loaded,
        constant,
    )))
}

/// Learns the text and the page tables of an instance that was just loaded.
fn learn(
    context: &Context,
    slice: &[PhysicalRange],
    loaded: &Loaded,
) -> Result<ConstantMemory, Refusal> {
    let root = loaded.page_table.as_u64();
    let constant = ConstantMemory::of_instance(
        context.windows,
        context.plan,
        slice.to_vec(),
        root,
        WHOLE_TABLE,
    );
    let mut constant = constant.map_err(Refusal::PageTables)?;
    constant.learn();
    Ok(constant)
}

/// Checks that an image can work with this monitor.
///
/// # Errors
/// It was built with other revisions.
pub fn check_revisions(image: &Image) -> Result<(), Refusal> {
    Ok(image.check_revisions(Revisions::OWN)?)
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
    fn of(image: &Image, cores: usize, ranges: &[PhysicalRange]) -> Result<Self, Refusal> {
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
        let tables = stacks + stacks_of(cores).map(stack_bytes).sum::<u64>();
        let stack_tables = (cores as u64 * STACK_STRIDE).div_ceil(TABLE_REACH_BYTES);
        let free = tables + (TABLE_PAGES + direct_gib + stack_tables) * PAGE_BYTES;
        if free > range.end {
            return Err(Refusal::TooSmall(free - range.start, range.len()));
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

/// Puts `image`, whose file is `bytes`, into `slice`, with `hand_off` completed and written. Each core in the hand-off
/// gets a stack, and the seat gets one.
///
/// # Errors
/// The slice is too small, or page tables cannot be made.
///
/// # Safety
/// `slice` is the instance's and nothing of it runs.
unsafe fn put(
    context: &Context,
    image: &Image,
    bytes: &[u8],
    slice: &[PhysicalRange],
    hand_off: &mut HandOff,
) -> Result<Loaded, Refusal> {
    let cores = hand_off.cores().len();
    let layout = Layout::of(image, cores, slice)?;
    let range = PhysicalRange {
        start: layout.hand_off,
        end: layout.free,
    };
    // SAFETY: the slice is free by the caller's promise.
    let window = unsafe { context.windows.open(range, Protection::ReadWrite) };
    let window = window.map_err(Refusal::Tables)?;
    // SAFETY: the window shows the start of the slice, which is the instance's own; the start page and the shared
    // region are what they are said to be.
    unsafe {
        window.at(range.start).write_bytes(0, range.len() as usize);
        copy_image(image, bytes, window.at(layout.image));
        let start_page = context.facts.start_page;
        let tables = map_instance(image, cores, slice, &layout, start_page, hand_off.shared)
            .map_err(Refusal::Tables)?;
        let instance = hand_off.instance();
        let seat_page_table = context
            .windows
            .make_seat_space(instance, &tables)
            .map_err(Refusal::Tables)?;
        hand_off.page_table = tables.root().as_u64();
        hand_off.table_frames = PhysicalRange {
            start: tables.next_table_frame(),
            end: layout.tables.end,
        };
        hand_off.free_start = layout.free;
        for (place, range) in hand_off.ranges.iter_mut().zip(slice) {
            *place = *range;
        }
        ptr::write(window.at(layout.hand_off).cast(), hand_off.clone());
        Ok(Loaded {
            entry: image.entry,
            page_table: tables.root(),
            seat_page_table,
            hand_off: DIRECT_BASE + layout.hand_off,
            fixed_bytes: range.len(),
        })
    }
}

/// Returns the numbers of the stacks of an instance with this many cores.
fn stacks_of(cores: usize) -> impl Iterator<Item = usize> {
    (0..cores).chain([SEAT_STACK])
}

/// Copies the segments to where they go; what a file does not fill stays zero.
///
/// # Safety
/// The window covers the image's place; `Image::parse` has checked that segments lie in the file and above
/// [`IMAGE_BASE`].
unsafe fn copy_image(image: &Image, bytes: &[u8], place: *mut u8) {
    for segment in &image.segments {
        let offset = (segment.virt - IMAGE_BASE) as usize;
        let source = &bytes[segment.file_range.clone()];
        // SAFETY: the caller's promise.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), place.add(offset), source.len()) };
    }
}

/// Makes the instance's page tables.
///
/// # Safety
/// As for [`put`]; a window shows the place of the tables.
unsafe fn map_instance(
    image: &Image,
    cores: usize,
    ranges: &[PhysicalRange],
    layout: &Layout,
    start_page: u64,
    shared: PhysicalRange,
) -> Result<AddressSpace, MapError> {
    let frames = TableFrames::new(layout.tables.start, layout.tables.end);
    // SAFETY: the tables' place is in the window. Each mapping gives the instance what is its own: its image, its
    // stacks, its slice, the shared region; and the start page, to come and go through.
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
        let mut phys = layout.stacks;
        for stack in stacks_of(cores) {
            let bytes = stack_bytes(stack);
            instance.map(stack_top(stack) - bytes, phys, bytes, Protection::ReadWrite)?;
            phys += bytes;
        }
        // Its tables take a few pages more, not one for each GiB, if it has terabytes.
        instance.use_huge_pages();
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
        let scratch = start_page + PAGE_BYTES;
        instance.map(scratch, scratch, PAGE_BYTES, Protection::ReadWrite)?;
        Ok(instance)
    }
}
