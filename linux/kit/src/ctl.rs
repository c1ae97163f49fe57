//! Builds understudyctl.

use std::path::PathBuf;

use harness::problem::Problem;

use crate::static_program::{self, Optimisation};

/// Builds understudyctl.
///
/// # Errors
/// It does not build; cargo says why.
pub fn build() -> Result<PathBuf, Problem> {
    static_program::build("understudyctl", "understudyctl", Optimisation::Size)
}
