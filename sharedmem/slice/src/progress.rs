//! How far each rank has come.

use sharedmem::layout;
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{AcqRel, Acquire, Relaxed};

/// Bits of a committed word that hold the step; the rest is its check.
const STEP_BITS: u32 = 48;

/// The progress words of a rank, on cache lines of their own.
///
/// A rank makes progress if `heartbeat` changes. It counts at every step, commit and collective operation, and wherever
/// the computation says so, but not while a rank waits for others. All ranks go through the same collective operations
/// in the same order, so the rank that holds the others up is the one with the lowest `collective`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct RankProgress {
    step: AtomicU64,
    committed: AtomicU64,
    heartbeat: AtomicU64,
    collective: AtomicU64,
}

layout!(RankProgress: step, committed, heartbeat, collective);

/// The progress of a rank as read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The step that it works on.
    pub step: u64,
    /// The last step that it has committed.
    pub committed: Option<u64>,
    /// How often it did something since it was entered.
    pub heartbeat: u64,
    /// How many collective operations it has come to since it was entered.
    pub collective: u64,
}

impl RankProgress {
    /// Returns all of it.
    pub fn read(&self) -> Progress {
        Progress {
            step: self.step.load(Relaxed),
            committed: self.committed(),
            heartbeat: self.heartbeat.load(Relaxed),
            collective: self.collective.load(Relaxed),
        }
    }

    /// Says which step the rank works on from here.
    pub fn begin_step(&self, step: u64) {
        self.step.store(step, Relaxed);
        self.beat();
    }

    /// Returns the step that the rank works on.
    pub fn step(&self) -> u64 {
        self.step.load(Relaxed)
    }

    /// Counts. Only the rank itself may call it.
    #[inline]
    pub fn beat(&self) {
        let count = self.heartbeat.load(Relaxed);
        self.heartbeat.store(count.wrapping_add(1), Relaxed);
    }

    /// Says how many collective operations the rank has come to, and counts.
    #[inline]
    pub fn arrive(&self, collective: u64) {
        self.collective.store(collective, Relaxed);
        self.beat();
    }

    /// Commits a step. What the rank writes after this may overwrite what only the step before needs: none of it
    /// becomes visible, nor is left by a death, before the commit.
    ///
    /// # Panics
    /// If `step` has more than 48 bits.
    pub fn commit(&self, step: u64) {
        // An exchange, because a plain store would let later stores go before it.
        self.committed.swap(sealed(step), AcqRel);
        self.beat();
    }

    /// Returns the last step that the rank has committed; `None` if there is none, or if the word was overwritten.
    pub fn committed(&self) -> Option<u64> {
        let word = self.committed.load(Acquire);
        let step = word & ((1 << STEP_BITS) - 1);
        (sealed(step) == word).then_some(step)
    }

    /// Writes anything in place of the committed step, as a computation out of control may.
    #[cfg(test)]
    pub(super) fn overwrite(&self, word: u64) {
        self.committed.store(word, Relaxed);
    }

    pub(super) fn clear(&self) {
        self.committed.store(0, Relaxed);
        self.begin_again();
    }

    pub(super) fn begin_again(&self) {
        self.step.store(0, Relaxed);
        self.heartbeat.store(0, Relaxed);
        self.collective.store(0, Relaxed);
    }
}

/// Returns the last step that all ranks have committed, of what each has: `None` if there is none, or if the words
/// contradict each other.
///
/// A rank commits a step after all ranks have written their part of it. So the step of any one is whole everywhere, and
/// no rank is more than one step behind another. A word that was overwritten, or not written yet, counts for nothing.
pub fn committed_step(ranks: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let bounds = ranks.flatten().fold(None, |bounds, step| match bounds {
        None => Some((step, step)),
        Some((low, high)) => Some((step.min(low), step.max(high))),
    });
    let (low, high): (u64, u64) = bounds?;
    (high - low <= 1).then_some(high)
}

/// Returns the step with its check, which is never that of zeros.
fn sealed(step: u64) -> u64 {
    assert!(step >> STEP_BITS == 0, "a step has at most 48 bits");
    // The golden ratio's multiplier mixes every bit of the step into the upper ones.
    let check = (step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> STEP_BITS;
    step | (check | 1) << STEP_BITS
}
