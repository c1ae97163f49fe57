//! Boots machines in QEMU, injects faults, and keeps account of what clients were promised.
//!
//! [`setup`] checks the host, [`images`] builds what a machine boots, [`machine`] runs one and [`transcript`] reads its
//! console. [`writer`], [`steady`] and [`fleet`] are its clients, [`ledger`] knows what a client was promised, and
//! [`timeline_report`] is what the guest reports of a takeover. [`linux`] has the same for Linux tenants.

#![forbid(unsafe_code)]

pub mod accel;
pub mod archive;
pub mod bochs;
pub mod check_config;
pub mod client;
pub mod console;
pub mod disk;
pub mod elf_image;
pub mod emulator;
pub mod files;
pub mod fleet;
pub mod images;
pub mod ledger;
pub mod linux;
pub mod machine;
pub mod model;
pub mod operator;
pub mod paths;
pub mod problem;
pub mod qmp;
pub mod random;
pub mod score;
pub mod screenshot;
pub mod setup;
pub mod steady;
pub mod timeline_report;
pub mod tools;
pub mod transcript;
pub mod writer;
