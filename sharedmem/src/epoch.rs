//! The epoch word: the number of the takeovers so far, which says who is the primary.

use crate::sync::{AtomicU64, Ordering};

/// The epoch of the first primary of a machine; each takeover raises it.
pub const FIRST_EPOCH: u64 = 1;

/// The primary's epoch. Only the monitor raises it, and only once the fence is proven.
#[repr(C)]
#[derive(Debug, Default)]
pub struct EpochWord(AtomicU64);

impl EpochWord {
    /// Returns the word itself, to be kept true.
    pub(crate) fn word(&self) -> &AtomicU64 {
        &self.0
    }

    /// Returns the present epoch.
    #[inline]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Returns whether the kernel that was given `epoch` is still the primary. A fenced kernel that runs on finds out
    /// here.
    #[inline]
    pub fn is_owned_by(&self, epoch: u64) -> bool {
        self.current() == epoch
    }

    /// Raises the epoch by one, from `from`.
    ///
    /// # Errors
    /// Returns the value found, if it was not `from`: something wrote where only the monitor may.
    pub fn raise(&self, from: u64) -> Result<u64, u64> {
        self.0
            .compare_exchange(from, from + 1, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| from + 1)
    }

    /// Sets the word to `epoch`: at boot, and after something overwrote it. The monitor keeps the true number in its
    /// own memory.
    pub fn reset(&self, epoch: u64) {
        self.0.store(epoch, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raise_takes_the_machine_from_its_owner() {
        let word = EpochWord::default();
        word.reset(7);
        assert!(word.is_owned_by(7));
        assert_eq!(word.raise(7), Ok(8));
        assert!(!word.is_owned_by(7));
        assert_eq!(word.raise(7), Err(8));
    }
}
