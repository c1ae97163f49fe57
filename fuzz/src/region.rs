//! A shared region and a compute slice's control block as several kernels map them, and a peer that writes anywhere in
//! them.

use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::Unstructured;
use compute_slice::SliceControl;
use sharedmem::SharedRegion;
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::{Control, RegionError};

/// Size of the journal's ring, in bytes: the smallest that a region may have.
const RING_BYTES: usize = 4096;

/// Size of the region, in bytes.
pub const REGION_BYTES: u64 = (CONTROL_BYTES + RING_BYTES) as u64;

/// Number of words that mean anything. Between the control block and the ring there is nothing.
const WORDS: usize = size_of::<Control>() / 8;

#[repr(C, align(4096))]
struct Page([AtomicU64; 512]);

/// A region.
pub struct Region {
    pages: &'static [Page],
    /// The region as its maker sees it.
    pub shared: SharedRegion,
}

thread_local! {
    static REGION: Region = Region::new();
}

/// Lends this thread's region in the state after a boot.
pub fn with<R>(use_it: impl FnOnce(&Region) -> R) -> R {
    REGION.with(|region| {
        for word in region.words() {
            word.store(0, Ordering::Relaxed);
        }
        region
            .shared
            .control
            .header
            .initialise(REGION_BYTES, RING_BYTES as u64, 1);
        use_it(region)
    })
}

impl Region {
    fn new() -> Self {
        let pages = (0..REGION_BYTES / 4096).map(|_| Page([const { AtomicU64::new(0) }; 512]));
        let pages: &'static [Page] = Box::leak(pages.collect());
        let address = pages.as_ptr().cast_mut().cast();
        // SAFETY: the pages are aligned, zeroed, never freed, and consist of atomics, by which alone they are reached.
        #[allow(unsafe_code)]
        let shared = unsafe { SharedRegion::create(address, REGION_BYTES, 1) };
        Self {
            pages,
            shared: shared.expect("there is room for a journal"),
        }
    }

    /// Opens the region as another kernel that takes it for `bytes` long, or for its size if that is less.
    pub fn open(&self, bytes: u64) -> Result<SharedRegion, RegionError> {
        let address = self.pages.as_ptr().cast_mut().cast();
        // SAFETY: as above; and no byte behind the region is read.
        #[allow(unsafe_code)]
        unsafe {
            SharedRegion::open(address, bytes.min(REGION_BYTES))
        }
    }

    /// Writes words of the input anywhere into the control block.
    pub fn scribble(&self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let place = usize::from(input.arbitrary::<u16>()?) % WORDS;
        scribble(self.words().skip(place), input)
    }

    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.pages.iter().flat_map(|page| &page.0).take(WORDS)
    }
}

/// Writes words of the input over some of `words`.
fn scribble<'w>(
    words: impl Iterator<Item = &'w AtomicU64>,
    input: &mut Unstructured<'_>,
) -> arbitrary::Result<()> {
    let count = input.arbitrary::<u16>()? % 64 + 1;
    for word in words.take(count.into()) {
        word.store(input.arbitrary()?, Ordering::Relaxed);
        if input.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The control block of a compute slice.
pub struct SliceMemory {
    pages: &'static [Page],
    /// The control block as everybody sees it.
    pub control: &'static SliceControl,
}

/// Number of words of a slice's control block.
const SLICE_WORDS: usize = size_of::<SliceControl>() / 8;

thread_local! {
    static SLICE: SliceMemory = SliceMemory::new();
}

impl SliceMemory {
    /// Lends this thread's control block, as a boot finds it.
    pub fn with<R>(use_it: impl FnOnce(&Self) -> R) -> R {
        SLICE.with(|memory| {
            for word in memory.words() {
                word.store(0, Ordering::Relaxed);
            }
            use_it(memory)
        })
    }

    fn new() -> Self {
        let count = SLICE_WORDS.div_ceil(512);
        let pages = (0..count).map(|_| Page([const { AtomicU64::new(0) }; 512]));
        let pages: &'static [Page] = Box::leak(pages.collect());
        // SAFETY: the pages are aligned, hold the control block, and are never freed; all access is by atomics.
        #[allow(unsafe_code)]
        let control = unsafe { SliceControl::at(pages.as_ptr().cast()) };
        Self { pages, control }
    }

    /// Writes words of the input anywhere into the control block.
    pub fn scribble(&self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let place = usize::from(input.arbitrary::<u16>()?) % SLICE_WORDS;
        scribble(self.words().skip(place), input)
    }

    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.pages.iter().flat_map(|page| &page.0).take(SLICE_WORDS)
    }
}
