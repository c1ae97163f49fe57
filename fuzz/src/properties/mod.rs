//! The properties. Each file has one subject.

pub mod acpi;
pub mod archive;
pub mod bzimage;
pub mod checkpoint;
pub mod command_line;
pub mod config_space;
pub mod elf;
pub mod frames;
pub mod hand_off;
pub mod http;
pub mod journal;
pub mod page;
pub mod records;
pub mod resp;
pub mod shared_region;
pub mod slice;
