//! Runs the model checker `loom` over the lock-free structures of `sharedmem`, `journal` and `compute`.

use super::{cargo, extended, packages, succeeds};
use harness::paths;
use harness::problem::Problem;

/// The crates that have models.
const CRATES: [&str; 3] = ["sharedmem", "journal", "compute"];

/// Checks the models whose names contain `filter`; each prints its number of executions. Returns false if one fails.
///
/// # Errors
/// Cargo cannot be run.
pub fn run(filter: Option<&str>) -> Result<bool, Problem> {
    // This flag recompiles everything, so it has a target directory of its own.
    let target = paths::target().join("loom");
    let mut command = cargo();
    command
        .env("RUSTFLAGS", extended("RUSTFLAGS", "--cfg loom"))
        .args(["test", "--release", "--locked", "--target-dir"])
        .arg(target)
        .args(packages(&CRATES))
        .args(["--test", "loom", "--", "--nocapture"])
        .args(filter);
    succeeds(&mut command)
}
