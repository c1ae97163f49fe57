//! What a machine boots, and how it is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::images::Images;

/// What a machine boots, and how it is kept.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The boot image.
    pub kernel: PathBuf,
    /// The boot archive.
    pub archive: PathBuf,
    /// The log, which is appended to.
    pub log: PathBuf,
    /// After this time the machine is killed.
    pub limit: Duration,
    /// Whether the console is printed, too.
    pub is_echoed: bool,
}

impl Launch {
    /// Boots images as they were built, and does not print the console.
    pub fn of(images: &Images, log: &Path, limit: Duration) -> Self {
        Self {
            kernel: images.kernel.clone(),
            archive: images.archive.clone(),
            log: log.to_path_buf(),
            limit,
            is_echoed: false,
        }
    }
}
