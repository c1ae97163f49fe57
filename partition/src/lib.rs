//! From the boot inputs to a [`Plan`]: who gets which cores and which memory.
//!
//! The way through: [`boot_info`] reads what the boot loader left into a [`BootInfo`], [`acpi`] finds the CPUs,
//! [`cmdline`] reads the options, [`plan()`] divides the machine or refuses with a reason; [`files`] and [`image`] find
//! the kernels and check them. Nothing here touches the machine: physical memory is read through [`PhysicalMemory`], so
//! the same code runs at boot, offline in the configuration checker, and in tests.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod acpi;
pub mod archive;
pub mod boot_info;
pub mod cmdline;
mod columns;
pub mod content;
pub mod cpu_list;
pub mod duration;
pub mod files;
pub mod image;
pub mod instance_memory;
pub mod linux;
pub mod memory;
pub mod physical;
pub mod plan;
pub mod range;
pub mod refusal;
pub mod size;
pub mod tenant;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use acpi::{AcpiInfo, ApicId};
pub use boot_info::BootInfo;
pub use cmdline::Options;
pub use files::BootFiles;
pub use image::Image;
pub use instance_memory::InstanceMemory;
pub use memory::MemoryMap;
pub use physical::{InputError, PhysicalMemory};
pub use plan::{Machine, Plan, plan};
pub use range::{Range, RangeSet};
pub use refusal::Refusal;
pub use tenant::{Kind, Kinds};
