//! The control block of a compute slice: what the monitor, a computation and everybody who looks at it share.
//!
//! A compute slice is a run of physical memory, 2 MiB aligned, and as many cores as the computation has *ranks*. It
//! belongs to neither kernel instance. Its memory begins with a control block of [`SLICE_CONTROL_BYTES`]; image, page
//! tables and stacks follow, then the *data*: everything from [`SliceParameters::data_start`] to the end is the
//! computation's own, and stays as it is over a death of the computation and over a reset of the machine.
//!
//! # How the monitor uses it
//!
//! 1. It loads the image, an ELF file with a note of type [`SLICE_NOTE_TYPE`], and makes the slice's page tables: the
//!    image at [`IMAGE_BASE`](sharedmem::abi::IMAGE_BASE); a stack of [`SLICE_STACK_BYTES`] per rank below
//!    [`stack_top`](sharedmem::abi::stack_top); physical address `p` of the control block and of the data at
//!    [`DIRECT_BASE`](sharedmem::abi::DIRECT_BASE) + `p`, with the largest pages there are. Nothing maps image or page
//!    tables for writing, so no stray write of a computation reaches them. It does this before every entry.
//! 2. It calls [`SliceControl::prepare`], and enters every rank on a core of its own, with interrupts off, at the
//!    image's entry: `extern "C" fn(control: *const SliceControl, rank: u64, generation: u64) -> !`. `control` is a
//!    virtual address. The generation counts the entries; each one has a larger number than all before.
//! 3. It looks at [`SliceStatus::state`], and at the progress words: see [`RankProgress`]. It never writes into the
//!    slice while a rank may run. `None` or [`SliceState::Prepared`] for a while after an entry is a rank that did not
//!    come up.
//! 4. When the state is [`SliceState::Died`], or progress stands still for too long, it fences the slice's cores,
//!    prepares the same slice with [`SliceEntry::Resume`] and a new generation, and enters it again.
//!    [`SliceState::Finished`] and [`SliceState::Failed`] are the end of the job: all ranks have stopped by themselves
//!    or are to be fenced; the exit code says how it went.
//!
//! # How a reader uses it
//!
//! [`SliceControl::check`] with the length of the slice as the reader knows it from the plan, then the parts. All that
//! is read is the computation's claim: numbers may be anything, but nothing that is returned lies outside the slice.
//!
//! The layout has its own revision, [`SLICE_REVISION`]: no kernel instance reads or writes here.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod death;
mod mark;
pub mod operator;
mod parameters;
mod progress;
mod results;
mod status;

use core::array;

use crossbeam_utils::CachePadded;

use sharedmem::abi::MAX_CORES;
use sharedmem::log_ring::LogRing;
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{Acquire, Release};

pub use death::{REGISTERS, SliceDeath, SliceEpitaph};
pub use mark::{MARK_OPERAND, MARKS, Mark};
pub use parameters::{
    SLICE_MAGIC, SliceArguments, SliceError, SliceHandOff, SliceName, SliceParameters,
};
pub use progress::{Progress, RankProgress, committed_step};
pub use results::{RESULTS_MAX, ResultName, ResultPlace, ResultTable, SliceResult};
pub use sharedmem::slice::{DeathCause, SliceEntry, SliceState};
pub use status::SliceStatus;

/// Revision of a slice's control block and of the way into its image.
pub const SLICE_REVISION: u32 = 1;

/// Size of the control block, in bytes: a large page.
pub const SLICE_CONTROL_BYTES: u64 = 2 << 20;

/// Type of the ELF note that marks an ELF as a compute image. Its name is [`NOTE_NAME`](sharedmem::abi::NOTE_NAME); it
/// holds [`SLICE_REVISION`], a `u32` of 0, then the version as UTF-8 text.
pub const SLICE_NOTE_TYPE: u32 = 2;

/// Mapped bytes of each rank's stack, at the end of its [`STACK_STRIDE`](sharedmem::abi::STACK_STRIDE).
pub const SLICE_STACK_BYTES: u64 = 0x2_0000;

/// A piece of a control block, as aligned as all of it.
pub type ControlLine = CachePadded<[AtomicU64; 16]>;

const _: () = assert!(align_of::<ControlLine>() >= align_of::<SliceControl>());

/// The control block.
#[repr(C)]
#[derive(Debug)]
pub struct SliceControl {
    /// Writer: the monitor, while no rank runs.
    pub hand_off: CachePadded<SliceHandOff>,
    /// Writers: the ranks.
    pub status: CachePadded<SliceStatus>,
    /// Writer: the first rank that dies.
    pub epitaph: CachePadded<SliceEpitaph>,
    /// One per rank; writer: that rank.
    pub progress: [CachePadded<RankProgress>; MAX_CORES],
    /// Writer: the first rank.
    pub results: CachePadded<ResultTable>,
    /// Writers: the ranks, one at a time.
    pub log: CachePadded<LogRing>,
}

// The model checker's words are larger.
#[cfg(not(loom))]
const _: () = assert!(size_of::<SliceControl>() as u64 <= SLICE_CONTROL_BYTES);

impl Default for SliceControl {
    fn default() -> Self {
        Self {
            hand_off: CachePadded::default(),
            status: CachePadded::default(),
            epitaph: CachePadded::default(),
            progress: no_progress(),
            results: CachePadded::default(),
            log: CachePadded::default(),
        }
    }
}

/// Makes the progress words of all ranks. On its own, because the compiler takes long over each place it is inlined in.
#[inline(never)]
fn no_progress() -> [CachePadded<RankProgress>; MAX_CORES] {
    array::from_fn(|_| CachePadded::default())
}

impl SliceControl {
    /// Makes the control block ready for an entry. With [`SliceEntry::Fresh`] nothing of an earlier job is left but the
    /// log; with [`SliceEntry::Resume`] the committed steps and the results stay.
    ///
    /// For the monitor, while no rank runs.
    ///
    /// # Errors
    /// What of it no reader would believe, or the text that does not [fit](sharedmem::plain_text::PlainText::fits);
    /// then nothing was written.
    pub fn prepare(
        &self,
        parameters: &SliceParameters,
        name: &str,
        arguments: &str,
    ) -> Result<(), SliceError> {
        parameters.check(parameters.slice_bytes)?;
        if !SliceName::fits(name) || !SliceArguments::fits(arguments) {
            return Err(SliceError::Text);
        }
        // Whoever reads meanwhile finds no slice.
        self.hand_off.magic.store(0, Release);
        for (rank, progress) in self.progress.iter().enumerate() {
            let is_kept =
                parameters.entry == SliceEntry::Resume && rank < parameters.ranks as usize;
            match is_kept {
                true => progress.begin_again(),
                false => progress.clear(),
            }
        }
        if parameters.entry == SliceEntry::Fresh {
            self.results.clear();
        }
        self.epitaph.clear();
        self.status.clear();
        self.hand_off.fill(parameters, name, arguments);
        self.status.set_state(SliceState::Prepared);
        self.hand_off.magic.store(SLICE_MAGIC, Release);
        Ok(())
    }

    /// Returns what the slice was entered with. For the slice itself, which believes the monitor about its length.
    ///
    /// # Errors
    /// Why this is not a control block that this build can read.
    pub fn entered(&self) -> Result<SliceParameters, SliceError> {
        self.check(self.hand_off.read()?.slice_bytes)
    }

    /// Returns what the slice was entered with, if that can be true of a slice of `slice_bytes` bytes.
    ///
    /// # Errors
    /// Why this is not a control block that this build can read.
    pub fn check(&self, slice_bytes: u64) -> Result<SliceParameters, SliceError> {
        let magic = self.hand_off.magic.load(Acquire);
        if magic != SLICE_MAGIC {
            return Err(SliceError::Magic(magic));
        }
        let parameters = self.hand_off.read()?;
        parameters.check(slice_bytes)?;
        Ok(parameters)
    }

    /// Returns the progress words of the ranks.
    pub fn ranks(&self, parameters: &SliceParameters) -> &[CachePadded<RankProgress>] {
        &self.progress[..(parameters.ranks as usize).min(MAX_CORES)]
    }

    /// Returns the last step that all ranks have committed; `None` if there is none, or if the words contradict each
    /// other.
    pub fn committed_step(&self, parameters: &SliceParameters) -> Option<u64> {
        committed_step(self.ranks(parameters).iter().map(|rank| rank.committed()))
    }

    /// Returns the control block in `lines`, as a copy of a slice's memory has it; `None` if they are too few.
    #[cfg(not(loom))]
    pub fn of_lines(lines: &[ControlLine]) -> Option<&Self> {
        if size_of_val(lines) < size_of::<Self>() {
            return None;
        }
        // SAFETY: the block consists of atomic words only, and so do the lines, which are as long and as aligned.
        Some(unsafe { &*lines.as_ptr().cast::<Self>() })
    }

    /// Returns the control block at the beginning of a slice's memory.
    ///
    /// # Safety
    /// `address` is 4 KiB aligned. The [`SLICE_CONTROL_BYTES`] there are mapped, readable, and writable unless only
    /// reading methods are called, for `'a`, and everybody accesses them by atomics only.
    #[cfg(not(loom))]
    pub unsafe fn at<'a>(address: *const u8) -> &'a Self {
        // SAFETY: the caller promises memory for `'a`, aligned to a page (the block needs 128 bytes). The block
        // consists of atomics only, for which every bit pattern is valid and other writers are allowed.
        unsafe { &*address.cast::<Self>() }
    }
}

#[cfg(test)]
mod tests;
