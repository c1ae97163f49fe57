//! Runs Miri, Rust's interpreter that detects undefined behaviour, over the tests of the crates that hold unsafe code.
//!
//! Miri comes with nightly toolchains only, so it is not part of the tests for every change. We have never run it: what
//! is left out below is what its documentation says it cannot do.

use std::process::Command;

use super::{UNSAFE_CRATES, extended, packages, succeeds};
use harness::paths;
use harness::problem::Problem;

/// Pointers keep their provenance, also through a cast; tests may see the host's clock and files.
const FLAGS: &str = "-Zmiri-strict-provenance -Zmiri-disable-isolation";

/// Tests that miri cannot run: parts of their names, and why.
const LEFT_OUT: [(&str, &str); 1] = [(
    "crc32c",
    "asks the processor what it can do, in assembly; the other way is the same without unsafe code",
)];

/// A crate with unsafe code that miri cannot run, and why.
const CRATE_LEFT_OUT: (&str, &str) = ("understudyctl", "its tests map files and control terminals");

const MISSING: &str = "there is no miri, and no stable one. With rustup: \
    'rustup toolchain install nightly --component miri,rust-src', and type the same again";

/// Runs the tests whose names contain `filter`. Returns false if one fails, or has undefined behaviour.
///
/// # Errors
/// Miri is missing; says how to get it.
pub fn run(filter: Option<&str>) -> Result<bool, Problem> {
    // Through rustup: the cargo that runs this command is another toolchain's.
    let miri = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo", "miri"]);
        command.args(arguments).current_dir(paths::workspace());
        command.env_remove("RUSTC").env_remove("RUSTDOC");
        command
    };
    let version = miri(&["--version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Err(Problem::BrokenSetUp(MISSING.into()));
    }
    let (left_out, why) = CRATE_LEFT_OUT;
    println!("miri: without the crate {left_out}: {why}");
    let crates: Vec<_> = UNSAFE_CRATES
        .into_iter()
        .filter(|it| *it != left_out)
        .collect();
    let mut tests = miri(&["test", "--locked"]);
    tests
        .env("MIRIFLAGS", extended("MIRIFLAGS", FLAGS))
        .arg("--target-dir")
        .arg(paths::target().join("miri"))
        .args(packages(&crates))
        .args(["--lib", "--tests", "--"])
        .args(filter);
    for (name, why) in LEFT_OUT {
        println!("miri: without the tests of {name}: {why}");
        tests.args(["--skip", name]);
    }
    succeeds(&mut tests)
}
