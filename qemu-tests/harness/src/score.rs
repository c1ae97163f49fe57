//! How many tests went which way.

use std::fmt;

use crate::problem::Problem;

/// How many tests went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Passed.
    pub passed: u32,
    /// Failed, timed out, or could not be run as the host is broken.
    pub failed: u32,
    /// Not run, as something is missing.
    pub skipped: u32,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl Score {
    /// Counts one test.
    pub fn count<T>(&mut self, outcome: &Result<T, Problem>) {
        match outcome {
            Ok(_) => self.passed += 1,
            Err(Problem::Skipped(_)) => self.skipped += 1,
            Err(_) => self.failed += 1,
        }
    }
}
