//! Builds understudyctl.

use std::path::PathBuf;
use std::process::Command;

use harness::paths;
use harness::problem::Problem;

/// Builds it as one static program, which an initrd has room for.
///
/// # Errors
/// It does not build; cargo says why.
pub fn build() -> Result<PathBuf, Problem> {
    const TRIPLE: &str = "x86_64-unknown-linux-gnu";
    let target = paths::target().join("static");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(paths::workspace())
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "understudyctl",
            "--target",
            TRIPLE,
        ])
        .arg("--target-dir")
        .arg(&target)
        .args([
            "--config",
            "profile.release.strip=true",
            "--config",
            "profile.release.opt-level=\"s\"",
        ])
        .env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-C target-feature=+crt-static",
        )
        .status()
        .map_err(|error| Problem::of_host("cargo", error))?;
    match status.success() {
        true => Ok(target.join(TRIPLE).join("release/understudyctl")),
        false => Err(Problem::BrokenSetUp(
            "understudyctl does not build; cargo says why above".into(),
        )),
    }
}
