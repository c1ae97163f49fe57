//! Builds the programs of a Linux guest.

use std::path::PathBuf;

use harness::problem::Problem;

use crate::static_program::{self, Optimisation};

const PACKAGE: &str = "linux-guest";

/// Builds the service.
///
/// # Errors
/// It does not build; cargo says why.
pub fn build() -> Result<PathBuf, Problem> {
    static_program::build(PACKAGE, "linux-guest", Optimisation::Speed)
}

/// Builds the loader of crash kernels.
///
/// # Errors
/// As [`build`].
pub fn build_crash_loader() -> Result<PathBuf, Problem> {
    static_program::build(PACKAGE, "crash-load", Optimisation::Speed)
}

/// Builds the program that keeps a CPU in a virtual machine.
///
/// # Errors
/// As [`build`].
pub fn build_kvm_loop() -> Result<PathBuf, Problem> {
    static_program::build(PACKAGE, "kvm-loop", Optimisation::Speed)
}

/// Builds the program that does a fixed amount of work.
///
/// # Errors
/// As [`build`].
pub fn build_work() -> Result<PathBuf, Problem> {
    static_program::build(PACKAGE, "linux-work", Optimisation::Speed)
}
