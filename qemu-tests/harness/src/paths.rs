//! Where things are: the workspace, and what is built and written by the host side.

use std::env;
use std::path::{Path, PathBuf};

use crate::files;
use crate::problem::Problem;

/// Returns the root of the workspace.
pub fn workspace() -> PathBuf {
    // Cargo says where the crate is now; the path that was compiled in may be out of date.
    let crate_dir = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let is_root = |directory: &&Path| directory.join("Cargo.lock").is_file();
    crate_dir
        .ancestors()
        .find(is_root)
        .unwrap_or(&crate_dir)
        .to_path_buf()
}

/// Returns cargo's target directory.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => workspace().join(directory),
        None => workspace().join("target"),
    }
}

/// Returns the directory of everything that the host side writes: images, logs, disks.
pub fn artifacts() -> PathBuf {
    target().join("understudy")
}

/// Returns the path of the log of a test or a command.
pub fn log(name: &str) -> PathBuf {
    artifacts().join("logs").join(format!("{name}.log"))
}

/// Empties the log of a test or a command, and returns its path.
///
/// # Errors
/// It cannot be written.
pub fn fresh_log(name: &str) -> Result<PathBuf, Problem> {
    let log = log(name);
    files::write(&log, b"")?;
    Ok(log)
}

/// Returns the directory of one machine's files.
pub fn scratch(name: &str) -> PathBuf {
    artifacts().join("machines").join(name)
}
