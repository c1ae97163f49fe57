//! The PCI functions that no instance may use, because a takeover could not make them quiet and cut them off.

use crate::layout::layout;
use crate::linux::LINUX_FUNCTIONS_MAX;
use crate::sync::{AtomicU64, Ordering};

const WORDS: usize = LINUX_FUNCTIONS_MAX / 64;

/// A set of functions, by their places in the monitor's list.
#[repr(C)]
#[derive(Debug)]
pub struct Withheld {
    /// Function `n` is bit `n % 64` of word `n / 64`. Writer: the monitor, while no primary runs.
    pub words: [AtomicU64; WORDS],
}

layout!(Withheld: words);

impl Default for Withheld {
    fn default() -> Self {
        Self {
            words: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Withheld {
    /// Makes these functions the set. Numbers beyond the list are of functions that no instance knows.
    pub fn set(&self, numbers: impl Iterator<Item = u32>) {
        for word in &self.words {
            word.store(0, Ordering::Relaxed);
        }
        for number in numbers {
            if let Some(word) = self.words.get(number as usize / 64) {
                let value = word.load(Ordering::Relaxed) | 1 << (number % 64);
                word.store(value, Ordering::Relaxed);
            }
        }
    }

    /// Returns whether a function is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (number % 64) & 1 != 0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_set_counts() {
        let withheld = Withheld::default();
        withheld.set([0, 64, 4095, 4096, u32::MAX].into_iter());
        for number in [0, 64, 4095] {
            assert!(withheld.contains(number), "{number}");
        }
        for number in [1, 63, 65, 4096, u32::MAX] {
            assert!(!withheld.contains(number), "{number}");
        }
        withheld.set([7].into_iter());
        assert!(withheld.contains(7) && !withheld.contains(64));
    }
}
