//! Runs valgrind's memcheck over the tests of the crates that hold unsafe code. It needs no help of the compiler, and
//! runs the code as it was built. It finds accesses outside of allocations and after they were freed, and decisions by
//! uninitialised memory. It does not check bounds on the stack or in statics, nor aliasing: [`miri`](super::miri) does.

use super::{UNSAFE_CRATES, cargo, packages, succeeds};
use harness::problem::Problem;
use harness::setup::{self, LocalSystem, Need};

/// What the check needs.
pub const NEEDED: [Need; 1] = [(
    "valgrind",
    "valgrind",
    "watches what unsafe code does with memory",
)];

/// Cargo's setting that runs programs under valgrind. Leaks are no errors: tests leak what has to live for ever, as a
/// kernel's memory does.
const RUNNER: &str = "target.'cfg(unix)'.runner = ['valgrind', '--quiet', '--error-exitcode=101', '--leak-check=no']";

/// Tests that are left out. The first cannot pass under valgrind: it starts a missing program, and gets no error
/// because valgrind turns vfork into fork. The others take minutes there, and run safe code only.
const LEFT_OUT: [&str; 10] = [
    "--skip",
    "a_hook_that_fails_is_told",
    "--skip",
    "whatever_dies_in_the_middle",
    "--skip",
    "a_flood_for_an_hour",
    "--skip",
    "no_flood_pushes_a_reason",
    "--skip",
    "every_event_reads_back",
];

/// Runs the tests whose names contain `filter`. Returns false if one fails, or an error is found.
///
/// # Errors
/// Valgrind is missing, or cargo cannot be run.
pub fn run(filter: Option<&str>) -> Result<bool, Problem> {
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let mut command = cargo();
    command
        .args(["test", "--locked", "--config", RUNNER])
        .args(packages(&UNSAFE_CRATES))
        .args(["--lib", "--bins", "--tests", "--"])
        .args(LEFT_OUT)
        .args(filter);
    succeeds(&mut command)
}
