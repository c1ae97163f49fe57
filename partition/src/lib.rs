//! From the boot inputs to a [`Plan`]: who gets which cores and which memory.
//!
//! The way through: [`boot_info`] reads what the boot loader left into a [`BootInfo`], [`acpi`] finds the CPUs,
//! [`cmdline`] reads the options, [`plan()`] divides the machine or refuses with a reason; [`files`] and [`image`] find
//! the kernels and check them. Nothing here touches the machine: physical memory is read through [`PhysicalMemory`], so
//! the same code runs at boot, offline in the configuration checker, and in tests.
//!
//! # Example
//! The boot line asks for 128 MiB for the backup on a machine of four CPUs and 512 MiB:
//!
//! ```
//! use partition::{Machine, Options, plan};
//!
//! const MIB: u64 = 1 << 20;
//! let machine = Machine::typical(4, 512 * MIB);
//! let line = "primary_kernel=/boot/a failover_kernel=/boot/b failover_mem=128M";
//! let plan = plan(&Options::parse(line)?, &machine)?;
//!
//! // The BSP is the seat, and the primary gets the other CPUs.
//! let primary: Vec<u32> = plan.primary.cpus.iter().map(|cpu| cpu.apic_id.0).collect();
//! assert_eq!((plan.seat.apic_id.0, primary), (0, vec![1, 2, 3]));
//! assert_eq!(plan.backup.ranges.iter().map(|range| range.len()).sum::<u64>(), 128 * MIB);
//!
//! // More than there is: the refusal names the option and what would work.
//! let line = "primary_kernel=/boot/a failover_kernel=/boot/b failover_mem=4G";
//! let refusal = partition::plan(&Options::parse(line)?, &machine).unwrap_err();
//! assert_eq!((refusal.option.as_str(), refusal.given.as_str()), ("failover_mem", "4G"));
//! assert!(!refusal.would_work.is_empty());
//! # Ok::<(), partition::Refusal>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cmdline;
mod columns;
pub mod image;
pub mod instance_memory;
pub mod linux;
pub mod plan;
pub mod tenant;

pub use bootfiles::{archive, content, files};
pub use cmdline::Options;
pub use files::BootFiles;
#[cfg(any(test, feature = "testing"))]
pub use firmware::testing;
pub use firmware::{
    AcpiInfo, ApicId, BootInfo, InputError, MemoryMap, PhysicalMemory, Range, RangeSet,
};
pub use firmware::{acpi, boot_info, memory, physical, range};
pub use image::Image;
pub use instance_memory::InstanceMemory;
pub use plan::{Machine, Plan, plan};
pub use quantities::{cpu_list, duration, refusal, size};
pub use refusal::Refusal;
pub use tenant::{Kind, Kinds};
