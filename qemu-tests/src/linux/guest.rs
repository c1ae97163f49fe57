//! Builds the service of a Linux guest: one static program, by `rustc` alone, so that nothing of the host side's own is built for it a second time.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{self, Parts};
use crate::problem::Problem;
use crate::{files, paths};

/// The program's files; the first is its root.
const SOURCES: [&str; 4] = ["main.rs", "http.rs", "readiness.rs", "service.rs"];

/// The program, built again only when a source or the compiler has changed.
///
/// # Errors
/// It does not build; the compiler says why.
pub fn build() -> Result<PathBuf, Problem> {
    let source = paths::workspace().join("qemu-tests/src/bin/linux-guest");
    let compiler = Command::new("rustc")
        .arg("--version")
        .output()
        .map_err(|error| Problem::of_host("rustc", error))?;
    let mut parts = Parts::default().with_name(String::from_utf8_lossy(&compiler.stdout));
    for name in SOURCES {
        parts = parts.with_content(name, &files::read(&source.join(name))?);
    }
    let place = paths::artifacts().join("linux-guest");
    let program = place.join("linux-guest");
    build::once(&place, &parts, || {
        compile(&source.join(SOURCES[0]), &program)
    })?;
    Ok(program)
}

fn compile(source: &Path, program: &Path) -> Result<(), Problem> {
    let status = Command::new("rustc")
        .args(["--edition", "2024", "--target", "x86_64-unknown-linux-gnu"])
        .args([
            "-C",
            "opt-level=2",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
        ])
        .args(["-C", "target-feature=+crt-static", "-o"])
        .arg(program)
        .arg(source)
        .status()
        .map_err(|error| Problem::of_host("rustc", error))?;
    match status.success() {
        true => Ok(()),
        false => Err(Problem::BrokenSetUp(
            "the service of the Linux guest does not build; rustc says why above".into(),
        )),
    }
}
