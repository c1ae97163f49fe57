//! How the boot line's quantities are read and written: sizes, durations and lists of CPUs; and how a value that cannot
//! be taken is refused.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cpu_list;
pub mod duration;
pub mod refusal;
pub mod size;
