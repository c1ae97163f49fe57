//! Files, with errors that name them.

use std::fs;
use std::path::Path;

use crate::problem::Problem;

/// Reads a file.
///
/// # Errors
/// Names the file.
pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|error| Problem::of_host(path.display(), error))
}

/// Writes a file, and the directories it is in.
///
/// # Errors
/// Names the file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| Problem::of_host(path.display(), error))
}
