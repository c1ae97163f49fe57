//! Checks code that shares memory beyond what ordinary tests see: [`loom`] tries every execution that the memory model
//! allows, [`memcheck`] and [`miri`] watch what unsafe code does.

use std::ffi::OsString;
use std::process::Command;

use harness::paths;
use harness::problem::Problem;

pub mod loom;
pub mod memcheck;
pub mod miri;

/// The crates with unsafe code that have tests on the host. `monitor` and `instance` have unsafe code, too, and run
/// only on a machine.
const UNSAFE_CRATES: [&str; 4] = ["sharedmem", "ipi", "arch", "understudyctl"];

/// Prepares a cargo command in the workspace.
fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(paths::workspace());
    command
}

/// Returns `-p NAME` for each crate.
fn packages<'n>(names: &'n [&'static str]) -> impl Iterator<Item = &'static str> + use<'n> {
    names.iter().flat_map(|name| ["-p", *name])
}

/// Returns the value of an environment variable with `more` appended.
fn extended(variable: &str, more: &str) -> OsString {
    let mut value = std::env::var_os(variable).unwrap_or_default();
    if !value.is_empty() {
        value.push(" ");
    }
    value.push(more);
    value
}

/// Runs a command to its end. Returns whether it succeeded.
fn succeeds(command: &mut Command) -> Result<bool, Problem> {
    let status = command.status();
    let status = status.map_err(|error| Problem::of_host("cargo", error))?;
    Ok(status.success())
}
