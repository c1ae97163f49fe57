//! The machine layer under the monitor and the native instance: descriptor tables, traps, page tables, heap, time,
//! serial port, PCI configuration.
//!
//! Most of the unsafe code is here, in `ipi` and in the mapping layer of `sharedmem`. This crate decides nothing:
//! policy is above it.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod calibration;
pub mod clock;
pub mod console;
pub mod cpu;
pub mod descriptors;
pub mod entropy;
pub mod heap;
pub mod logger;
pub mod machine_check;
#[cfg(not(any(test, feature = "hosted")))]
mod mem;
pub mod note;
pub mod paging;
pub mod pci;
pub mod reset;
pub mod rtc;
pub mod traps;
pub mod virtualization;
