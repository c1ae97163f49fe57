//! Builds the images, and puts those of the instances into a boot archive.

use std::path::PathBuf;
use std::process::Command;

use crate::archive::ArchiveWriter;
use crate::elf_image;
use crate::files::{read, write};
use crate::paths;
use crate::problem::Problem;

/// Path of the primary's image in the archive.
pub const PRIMARY_PATH: &str = "/boot/instance-a";
/// Path of the backup's image in the archive.
pub const BACKUP_PATH: &str = "/boot/instance-b";

/// Naming the triple keeps link arguments in RUSTFLAGS away from the build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What a machine boots.
#[derive(Clone, Debug)]
pub struct Images {
    /// The boot image.
    pub kernel: PathBuf,
    /// The boot archive with both instances.
    pub archive: PathBuf,
    /// The instance's image, without debug information.
    pub instance: Vec<u8>,
}

/// Builds the images in release, and writes `understudy`, `compute-node`, `libcompute.a` and `boot.cpio`.
/// `cargo_arguments` are passed on to cargo.
///
/// # Errors
/// Cargo fails, or a file cannot be written.
pub fn build(cargo_arguments: &[String]) -> Result<Images, Problem> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(paths::workspace())
        .args([
            "build",
            "--release",
            "-p",
            "monitor",
            "-p",
            "instance",
            "-p",
            "compute-node",
            "-p",
            "compute-c",
            "--features",
            "compute-node/image,compute-c/image",
            "--target",
            TRIPLE,
        ])
        .args(cargo_arguments)
        .status()
        .map_err(|error| Problem::of_host("cargo", error))?;
    if !status.success() {
        return Err(Problem::BrokenSetUp(
            "the images do not build; cargo says why above".into(),
        ));
    }
    let built = built();
    let instance = elf_image::stripped(&read(&built.join("instance"))?)?;
    let compute_node = elf_image::stripped(&read(&built.join("compute-node"))?)?;
    write(&paths::artifacts().join("compute-node"), &compute_node)?;
    let library = read(&built.join("libcompute_c.a"))?;
    write(&paths::artifacts().join("libcompute.a"), &library)?;
    let kernel = paths::artifacts().join("understudy");
    write(&kernel, &read(&built.join("understudy"))?)?;
    let archive = paths::artifacts().join("boot.cpio");
    let writer = ArchiveWriter::default()
        .image(PRIMARY_PATH, &instance)
        .image(BACKUP_PATH, &instance);
    write(&archive, &writer.finish())?;
    Ok(Images {
        kernel,
        archive,
        instance,
    })
}

/// Returns where cargo puts the images, with their symbols.
pub fn built() -> PathBuf {
    paths::target().join(TRIPLE).join("release")
}
