//! Runs the simulation of whole machines. It has a profile of its own, because its cores are dropped by unwinding.

use std::path::Path;
use std::process::Command;

use harness::paths;
use harness::problem::Problem;

/// The profile, and the name of its folder below cargo's target directory.
const PROFILE: &str = "simulation";

/// Names the commit for the simulation, which prints it with a failing seed.
const COMMIT_VARIABLE: &str = "UNDERSTUDY_COMMIT";

/// Builds and runs the simulation, and passes `arguments` on. Returns true if no law was broken.
///
/// # Errors
/// It does not build or cannot be run.
pub fn run(arguments: &[String]) -> Result<bool, Problem> {
    let program = paths::target().join(PROFILE).join("sim");
    build(&paths::workspace(), &paths::target())?;
    let status = Command::new(&program)
        .args(arguments)
        .env(COMMIT_VARIABLE, commit())
        .status()
        .map_err(|error| Problem::of_host(program.display(), error))?;
    Ok(status.success())
}

/// Builds the simulation of the sources in `workspace` into `target`.
///
/// # Errors
/// It does not build.
pub fn build(workspace: &Path, target: &Path) -> Result<(), Problem> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--locked", "--package", "simulation"])
        .args(["--profile", PROFILE])
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(|error| Problem::of_host("cargo", error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Problem::BrokenSetUp(format!(
            "the simulation does not build: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Describes the commit that is checked out, and whether it was changed since; empty outside a repository.
fn commit() -> String {
    let described = Command::new("git")
        .current_dir(paths::workspace())
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .output();
    described.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    })
}
