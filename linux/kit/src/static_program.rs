//! Builds programs of the workspace as static files, which an initrd has room for and which need no libraries there.

use std::path::PathBuf;
use std::process::Command;

use harness::paths;
use harness::problem::Problem;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What a program is optimised for.
#[derive(Clone, Copy, Debug)]
pub enum Optimisation {
    /// Speed.
    Speed,
    /// Size.
    Size,
}

impl Optimisation {
    /// Returns cargo's setting for it.
    fn setting(self) -> &'static str {
        match self {
            Self::Speed => "profile.release.opt-level=2",
            Self::Size => "profile.release.opt-level=\"s\"",
        }
    }
}

/// Builds the program `name` of the workspace's crate `package`, and returns its path. Cargo builds it again only when
/// a source has changed.
///
/// # Errors
/// It does not build; cargo says why.
pub fn build(package: &str, name: &str, optimisation: Optimisation) -> Result<PathBuf, Problem> {
    // Another linker flag would rebuild everything in the usual directory.
    let target = paths::target().join("static");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(paths::workspace())
        .args(["build", "--quiet", "--release", "--target", TRIPLE])
        .args(["--package", package, "--bin", name])
        .arg("--target-dir")
        .arg(&target)
        .args(["--config", "profile.release.strip=true"])
        .args(["--config", optimisation.setting()])
        .env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-C target-feature=+crt-static",
        )
        .status()
        .map_err(|error| Problem::of_host("cargo", error))?;
    match status.success() {
        true => Ok(target.join(TRIPLE).join("release").join(name)),
        false => Err(Problem::BrokenSetUp(format!(
            "{name} does not build; cargo says why above"
        ))),
    }
}
