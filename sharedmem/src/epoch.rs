//! The epoch word: which takeover we live after, and so who owns the machine.

use crate::sync::{AtomicU64, Ordering};

/// The owner's number. Only the monitor raises it, and only after the fence was proven.
#[repr(C)]
#[derive(Debug, Default)]
pub struct EpochWord(AtomicU64);

impl EpochWord {
    /// The epoch now.
    #[inline]
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether the one who was given `epoch` still owns the machine. A zombie finds out here.
    #[inline]
    pub fn is_owned_by(&self, epoch: u64) -> bool {
        self.current() == epoch
    }

    /// Raises the epoch by one, from `from`.
    ///
    /// # Errors
    /// The value found, if it was not `from`: somebody wrote where only the monitor may.
    pub fn raise(&self, from: u64) -> Result<u64, u64> {
        self.0
            .compare_exchange(from, from + 1, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| from + 1)
    }

    /// Puts the word back to `epoch` at boot, or after a scribble: the monitor keeps the true number in its own memory.
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
