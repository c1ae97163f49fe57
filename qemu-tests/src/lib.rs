//! The host side: builds the images, boots machines, injects faults, measures, and reports. `cargo xtask` is its command line.
//!
//! The way through: [`setup`] sees to the host, [`images`] builds what a machine boots, [`machine`] runs one and [`transcript`] reads its console;
//! [`ledger`] knows what a client was promised, [`takeover`] what the guest reports. [`demo`], [`mod@bench`] and the tests are made of these.

#![forbid(unsafe_code)]

pub mod accel;
pub mod archive;
pub mod bench;
pub mod check_config;
pub mod client;
pub mod console;
pub mod demo;
pub mod dependencies;
pub mod disk;
pub mod elf_image;
pub mod emulator;
pub mod files;
pub mod fleet;
pub mod fuzz;
pub mod images;
pub mod instants;
pub mod ledger;
pub mod linux;
pub mod machine;
pub mod model;
pub mod mutants;
pub mod operator;
pub mod paths;
pub mod problem;
pub mod proof;
pub mod qmp;
pub mod random;
pub mod rearm;
pub mod run;
pub mod setup;
pub mod simulation;
pub mod steady;
pub mod suite;
pub mod takeover;
pub mod tools;
pub mod transcript;
pub mod writer;
