//! Compute slices of a machine, from outside: [`SliceCopy`] reads one, [`operator`] reads logs and results over the
//! network, [`counter`] counts the instructions that are executed in a slice, [`interrupts`] those that reach its CPUs,
//! and [`bench`](mod@bench) measures by all of them.

#![forbid(unsafe_code)]

pub mod bench;
pub mod counter;
pub mod interrupts;
pub mod operator;
mod slice_copy;

pub use slice_copy::SliceCopy;
