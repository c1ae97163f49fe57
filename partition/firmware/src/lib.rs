//! Reads what boot loader and firmware say of a machine: the hand-off ([`boot_info`]), the memory map ([`memory`]) and
//! the ACPI tables ([`acpi`]).
//!
//! Nothing here touches the machine. Bytes come in through [`PhysicalMemory`], and every length and address among them
//! is checked before it is followed.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod acpi;
pub mod boot_info;
pub mod memory;
pub mod physical;
pub mod range;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use acpi::{AcpiInfo, ApicId};
pub use boot_info::BootInfo;
pub use memory::MemoryMap;
pub use physical::{InputError, PhysicalMemory};
pub use range::{Range, RangeSet};
