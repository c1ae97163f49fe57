//! Bugs that a test on the host has to find.

use std::process::Command;

use super::Copy;
use super::mutant::HostMutant;
use harness::problem::{Problem, require};

impl Copy {
    /// Puts a bug in and runs its test. Returns whether the test fails.
    ///
    /// # Errors
    /// The test fails without the bug, or the bug does not compile.
    pub(super) fn try_on_host(&self, host: &HostMutant) -> Result<bool, Problem> {
        require(self.passes(host.test, &[])?, || {
            format!("cargo test -p {} fails without any bug", host.test)
        })?;
        self.with(&host.mutant, || {
            // A bug that does not compile would look like one that is found.
            require(self.passes(host.test, &["--no-run"])?, || {
                format!("{}: the bug does not compile", host.mutant.name)
            })?;
            self.passes(host.test, &[]).map(|passes| !passes)
        })
    }

    /// Runs a test in the copy. Returns whether cargo ends well.
    fn passes(&self, test: &str, more: &[&str]) -> Result<bool, Problem> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(&self.sources)
            .args(["test", "--locked", "-p"])
            .args(test.split(' '))
            .args(more)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()
            .map_err(|error| Problem::of_host("cargo", error))?;
        Ok(output.status.success())
    }
}
