//! Builds what Linux tenants boot from, and what is shipped for them.
//!
//! [`packages`] fetches the distribution's kernels; [`kmod`] finds their modules, [`module`] builds ours, [`guest`] the
//! programs of a guest, and [`initrd`] puts them together. [`ctl`] builds the operator's command, [`deb`] the Debian
//! packages, [`iso`] a disc that GRUB starts. [`hardware`] describes the machine of a Linux, with [`devices`].

#![forbid(unsafe_code)]

mod build;
pub mod cache;
pub mod ctl;
pub mod deb;
pub mod devices;
pub mod file_system;
pub mod guest;
pub mod hardware;
pub mod initrd;
pub mod iso;
pub mod kmod;
pub mod module;
pub mod packages;
mod stanza;
mod static_program;

use cache::Cache;
use harness::problem::Problem;
use harness::setup::{self, LocalSystem};

/// What the host needs beside QEMU to build a guest.
const NEEDED: [setup::Need; 4] = [
    ("gcc", "gcc", "compiles the module for Linux"),
    ("make", "make", "builds the module for Linux"),
    ("xz", "xz-utils", "unpacks the modules of Debian's kernels"),
    ("mkfs.ext4", "e2fsprogs", "makes the Linux guest's disk"),
];

/// Checks that the host has what it takes to build a guest. The kernels are not part of it: they are fetched when they
/// are needed.
///
/// # Errors
/// Something is missing; says what to do.
pub fn check() -> Result<(), Problem> {
    setup::check_programs(&LocalSystem, &NEEDED)
}

/// Installs what is missing to build guests, discs and packages, and makes apt know the kernels. Only `cargo xtask
/// setup` calls this.
///
/// # Errors
/// Something is missing and cannot be installed; says what to do.
pub fn set_up() -> Result<(), Problem> {
    setup::install_programs(&LocalSystem, &NEEDED)?;
    setup::install_programs(&LocalSystem, &iso::needs())?;
    setup::install_programs(&LocalSystem, &deb::NEEDED)?;
    packages::set_up(&LocalSystem, &Cache::of_user()?);
    Ok(())
}
