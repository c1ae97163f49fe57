//! Makes the disks of a Linux guest.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::problem::Problem;
use harness::{files, tools};

const DISK_BYTES: u64 = 64 << 20;

/// A file system of some MiB is made in a moment; a busy host takes its time.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns the label of the file system of a disk: a guest finds its disks by these, whatever they are called.
fn label(index: usize) -> String {
    format!("data{index}")
}

/// Makes an empty disk, the first of its machine, with ext4 on it.
///
/// # Errors
/// It cannot be written.
pub fn make_disk(path: &Path) -> Result<(), Problem> {
    make_file_system(path, DISK_BYTES, &label(0))
}

/// Makes a machine's empty disks in a directory, and returns where they are.
///
/// # Errors
/// One cannot be written.
pub fn make_disks(directory: &Path, count: usize) -> Result<Vec<PathBuf>, Problem> {
    let make = |index| {
        let path = directory.join(format!("data{index}.img"));
        make_file_system(&path, DISK_BYTES, &label(index)).map(|()| path)
    };
    (0..count).map(make).collect()
}

/// Makes an empty ext4 of `bytes` bytes, called `label`, with blocks of a page, as DAX needs them.
///
/// # Errors
/// It cannot be written.
pub fn make_file_system(path: &Path, bytes: u64, label: &str) -> Result<(), Problem> {
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
        &[
            "-q",
            "-F",
            "-b",
            "4096",
            "-L",
            label,
            &path.to_string_lossy(),
        ],
        "",
        LIMIT,
    )
    .map(drop)
}
