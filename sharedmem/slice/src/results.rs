//! Where a computation's results lie in its slice.

use core::array;

use super::{SliceControl, SliceParameters};
use sharedmem::layout;
use sharedmem::plain_text::{Plain, PlainText};
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{Acquire, Relaxed, Release};

/// Maximum number of results.
pub const RESULTS_MAX: usize = if cfg!(loom) { 2 } else { 16 };

/// The name of a result.
pub type ResultName = PlainText<4>;

/// Where a result lies. It has two places: the committed step `n` is in `offsets[n % 2]`, and is overwritten only after
/// step `n + 1` was committed.
#[repr(C)]
#[derive(Debug, Default)]
pub struct ResultPlace {
    /// In bytes from the beginning of the slice.
    offsets: [AtomicU64; 2],
    bytes: AtomicU64,
    name: ResultName,
}

layout!(ResultPlace: offsets, bytes, name);

/// The results.
#[repr(C)]
#[derive(Debug)]
pub struct ResultTable {
    count: AtomicU64,
    places: [ResultPlace; RESULTS_MAX],
}

layout!(ResultTable: count, places);

impl Default for ResultTable {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            places: array::from_fn(|_| ResultPlace::default()),
        }
    }
}

/// A result as read: where it lies, within the data of its slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceResult {
    /// Its two places, in bytes from the beginning of the slice.
    pub offsets: [u64; 2],
    /// Its length in bytes.
    pub bytes: u64,
    /// Its name.
    pub name: Plain<4>,
}

impl ResultTable {
    /// Names the results. For the first rank, once they have their places. Returns false, and names none, if there are
    /// more than [`RESULTS_MAX`], or a name does not [fit](ResultName::fits).
    #[must_use]
    pub fn publish<'n>(
        &self,
        results: impl ExactSizeIterator<Item = ([u64; 2], u64, &'n str)> + Clone,
    ) -> bool {
        let count = results.len();
        let is_possible =
            count <= RESULTS_MAX && results.clone().all(|(.., name)| ResultName::fits(name));
        if !is_possible {
            return false;
        }
        for (place, (offsets, bytes, name)) in self.places.iter().zip(results) {
            for (word, offset) in place.offsets.iter().zip(offsets) {
                word.store(offset, Relaxed);
            }
            place.bytes.store(bytes, Relaxed);
            place.name.set(name);
        }
        self.count.store(count as u64, Release);
        true
    }

    pub(super) fn clear(&self) {
        self.count.store(0, Relaxed);
    }

    /// Returns the results that lie within the data of a slice with these parameters. Others are not mentioned.
    pub fn read(&self, parameters: &SliceParameters) -> impl Iterator<Item = SliceResult> {
        let count = self.count.load(Acquire).min(RESULTS_MAX as u64) as usize;
        let (start, end) = (parameters.data_start, parameters.slice_bytes);
        let is_inside = move |offset: u64, bytes: u64| {
            start <= offset && offset.checked_add(bytes).is_some_and(|last| last <= end)
        };
        self.places[..count].iter().filter_map(move |place| {
            let offsets = [0, 1].map(|index: usize| place.offsets[index].load(Relaxed));
            let bytes = place.bytes.load(Relaxed);
            let name = place.name.get();
            let is_right = offsets.iter().all(|offset| is_inside(*offset, bytes));
            is_right.then_some(SliceResult {
                offsets,
                bytes,
                name,
            })
        })
    }
}

impl SliceResult {
    /// Copies the result as of the last committed step. `copy` is given the offset, in bytes from the beginning of the
    /// slice, and does it. Returns the step; `None` if nothing is committed, or if the computation went on to overwrite
    /// it while it was copied: then what was copied is worth nothing, and another attempt may succeed.
    pub fn copy_committed(
        &self,
        control: &SliceControl,
        parameters: &SliceParameters,
        copy: impl FnOnce(u64),
    ) -> Option<u64> {
        let step = control.committed_step(parameters)?;
        copy(self.offsets[(step % 2) as usize]);
        sharedmem::sync::fence(Acquire);
        (control.committed_step(parameters) == Some(step)).then_some(step)
    }
}
