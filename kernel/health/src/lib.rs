//! Whether a network card can still serve, and what follows if it cannot.
//!
//! Every check is a pure function over what was read, so a test can read anything to it:
//!
//! - [`check_command`]: the command register of the PCI function.
//! - [`check_virtio_status`]: the status register of a virtio device.
//! - [`UsedRing`]: what a device says that it has done with the buffers of a queue.
//! - [`Stall`]: work that waits and does not go on, by a clock that may jump.
//! - [`Remedy`]: what a primary does about it.
//!
//! What they cannot see: a card that sends, and to which nothing comes. An idle network and a pulled cable look the
//! same.
#![no_std]
#![forbid(unsafe_code)]

mod fault;
mod registers;
mod remedy;
mod stall;
mod used_ring;

pub use fault::{Fault, Queue};
pub use registers::{check_command, check_virtio_status};
pub use remedy::{CALM_NS, Remedy};
pub use stall::{STALL_NS_MAX, Stall};
pub use used_ring::UsedRing;
