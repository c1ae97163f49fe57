//! Random numbers: every decision that the seed makes while the machine runs.

use std::cell::RefCell;

use fastrand::Rng;

/// A source of random numbers: the same numbers in the same order for the same seed.
pub struct Random(RefCell<Rng>);

impl Random {
    /// Begins the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(RefCell::new(Rng::with_seed(seed)))
    }

    /// Draws a number below `end`; 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        self.0.borrow_mut().u64(0..end.max(1))
    }

    /// Draws whether something happens that happens once in `times`.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
}
