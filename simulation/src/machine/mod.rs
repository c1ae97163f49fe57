//! The simulated hardware.

pub mod core;
pub mod events;
pub mod frame;
pub mod memory;
mod observer;
pub mod random;
pub mod scheduler;
pub mod wires;

/// A microsecond, in ns.
pub const US: u64 = 1000;
/// A millisecond, in ns.
pub const MS: u64 = 1_000_000;
