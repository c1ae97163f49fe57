//! Valgrind's memcheck over the tests of the crates that hold unsafe code: it needs nothing of the compiler, and runs the very code that was
//! built. It finds accesses outside of what was allocated, after it was freed, and decisions by what was never written; what lies on the
//! stack or is static it does not tell apart, and aliasing rules it does not know. For those there is [`miri`](super::miri).

use super::{UNSAFE_CRATES, cargo, packages, succeeds};
use harness::problem::Problem;
use harness::setup::{self, LocalSystem, Need};

/// What the check needs.
pub const NEEDED: [Need; 1] = [(
    "valgrind",
    "valgrind",
    "watches what unsafe code does with memory",
)];

/// How cargo is told to run what it has built. Memory that is never freed is none of the errors: tests leak what has to live for ever, as a
/// kernel's memory does.
const RUNNER: &str = "target.'cfg(unix)'.runner = ['valgrind', '--quiet', '--error-exitcode=101', '--leak-check=no']";

/// A test that cannot pass under valgrind: it starts a program that is missing, and is not told so, as valgrind makes a fork of a vfork.
const LEFT_OUT: &str = "a_hook_that_fails_is_told";

/// Runs the tests whose names have `filter` in them. Returns false if one fails, or an error is found.
///
/// # Errors
/// Valgrind is missing, or cargo cannot be run.
pub fn run(filter: Option<&str>) -> Result<bool, Problem> {
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let mut command = cargo();
    command
        .args(["test", "--locked", "--config", RUNNER])
        .args(packages(&UNSAFE_CRATES))
        .args(["--lib", "--bins", "--tests", "--", "--skip", LEFT_OUT])
        .args(filter);
    succeeds(&mut command)
}
