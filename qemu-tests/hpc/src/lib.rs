//! Compute slices of a machine, from outside: [`SliceCopy`] reads one, [`counter`] counts the instructions that are
//! executed in it, [`interrupts`] those that reach its CPUs, and [`bench`](mod@bench) measures by all of them.

#![forbid(unsafe_code)]

pub mod bench;
pub mod counter;
pub mod interrupts;
mod slice_copy;

pub use slice_copy::SliceCopy;
