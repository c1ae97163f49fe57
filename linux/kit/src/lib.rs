//! Builds what Linux tenants boot from, and what is shipped for them.
//!
//! [`packages`] has the distribution's kernels, [`kmod`] and [`module`] their modules and ours, [`guest`] the programs of a guest; [`initrd`] puts them
//! together. [`ctl`] is the operator's command, [`deb`] the Debian packages, [`iso`] a disc that GRUB starts.

#![forbid(unsafe_code)]

mod build;
pub mod cache;
pub mod ctl;
pub mod deb;
pub mod file_system;
pub mod guest;
pub mod initrd;
pub mod iso;
pub mod kmod;
pub mod module;
pub mod packages;
mod stanza;
mod static_program;

use harness::problem::Problem;
use harness::setup::{self, LocalSystem};

/// What the host needs beside QEMU.
const NEEDED: [setup::Need; 4] = [
    ("gcc", "gcc", "compiles the module for Linux"),
    ("make", "make", "builds the module for Linux"),
    ("xz", "xz-utils", "unpacks the modules of Debian's kernels"),
    ("mkfs.ext4", "e2fsprogs", "makes the Linux guest's disk"),
];

/// Makes sure that the host has what Linux tenants need; fast if it has. The kernels are not part of it: they are fetched by who boots them.
///
/// # Errors
/// Something is missing and cannot be installed; says what to do.
pub fn set_up() -> Result<(), Problem> {
    setup::ensure_programs(&LocalSystem, &NEEDED)
}
