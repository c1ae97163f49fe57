//! Builds the programs of a Linux guest: each one static file, by `rustc` alone, so that nothing of the host side's own is built for it a second time.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Parts};
use harness::problem::Problem;
use harness::{files, paths};

/// The service's files; the first is its root.
const SERVICE: [&str; 9] = [
    "main.rs",
    "hooks.rs",
    "http.rs",
    "network.rs",
    "order.rs",
    "readiness.rs",
    "service.rs",
    "stamp.rs",
    "system.rs",
];

/// The service, built again only when a source or the compiler has changed.
///
/// # Errors
/// It does not build; the compiler says why.
pub fn build() -> Result<PathBuf, Problem> {
    let sources = SERVICE.map(|name| format!("linux-guest/{name}"));
    program("linux-guest", &sources)
}

/// The loader of crash kernels, built as the service is.
///
/// # Errors
/// As [`build`].
pub fn build_crash_loader() -> Result<PathBuf, Problem> {
    program("crash-load", &["crash-load.rs".into()])
}

/// The fixed amount of work, built as the service is.
///
/// # Errors
/// As [`build`].
pub fn build_work() -> Result<PathBuf, Problem> {
    program("linux-work", &["linux-work.rs".into()])
}

fn program(name: &str, sources: &[String]) -> Result<PathBuf, Problem> {
    let directory = paths::workspace().join("linux/guest/src/bin");
    let compiler = Command::new("rustc")
        .arg("--version")
        .output()
        .map_err(|error| Problem::of_host("rustc", error))?;
    let mut parts = Parts::default().with_name(String::from_utf8_lossy(&compiler.stdout));
    for source in sources {
        parts = parts.with_content(source, &files::read(&directory.join(source))?);
    }
    let place = paths::artifacts().join(name);
    let program = place.join(name);
    build::once(&place, &parts, || {
        compile(&directory.join(&sources[0]), &program)
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
        false => Err(Problem::BrokenSetUp(format!(
            "{} does not build; rustc says why above",
            source.display()
        ))),
    }
}
