//! What a Linux tenant is made of on the host's side.
//!
//! [`packages`] has the distribution's kernels, [`kmod`] and [`module`] their modules and ours, [`guest`] the service; [`initrd`] puts them
//! together, and [`boot`] shows that they are fit for each other. [`tenants`] is a machine with two of them, [`mixed`] one with a native instance
//! beside one of them, [`takeover`] what happens to it; [`gap`] and [`writer`] are its clients, over [`http`], and [`ledger`] is what they were
//! promised. [`lives`] is a machine that goes through several. [`demo`] and [`matrix`] are made of these. [`parked`] looks at a backup that
//! waits, and [`cost`] is what it costs the primary.

pub mod boot;
mod build;
pub mod cache;
pub mod cost;
pub mod ctl;
pub mod deb;
pub mod demo;
pub mod gap;
pub mod guest;
pub mod hardware;
pub mod http;
pub mod initrd;
pub mod iso;
pub mod kdump;
pub mod kmod;
pub mod ledger;
pub mod lives;
pub mod matrix;
pub mod mixed;
pub mod module;
pub mod packages;
pub mod parked;
mod stanza;
pub mod takeover;
pub mod tenants;
pub mod writer;

use crate::problem::Problem;
use crate::setup::{self, Host};

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
    setup::ensure_programs(&Host, &NEEDED)
}
