//! Makes the disks of a Linux guest.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use harness::problem::Problem;
use harness::{files, tools};

const DISK_BYTES: u64 = 64 << 20;

/// A file system of some MiB is made in a moment; a busy host takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes an empty disk with ext4 on it.
///
/// # Errors
/// It cannot be written.
pub fn make_disk(path: &Path) -> Result<(), Problem> {
    make_file_system(path, DISK_BYTES)
}

/// Makes an empty ext4 of `bytes` bytes with blocks of a page, as DAX needs them.
///
/// # Errors
/// It cannot be written.
pub fn make_file_system(path: &Path, bytes: u64) -> Result<(), Problem> {
    files::write(path, b"")?;
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(bytes))
        .map_err(|error| Problem::of_host(path.display(), error))?;
    // Its directory is not in every user's path.
    let system = "/usr/sbin/mkfs.ext4";
    let program = if Path::new(system).exists() {
        system
    } else {
        "mkfs.ext4"
    };
    tools::run(
        program,
        &["-q", "-F", "-b", "4096", &path.to_string_lossy()],
        "",
        LIMIT,
    )
    .map(drop)
}
