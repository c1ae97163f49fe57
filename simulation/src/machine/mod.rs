//! The simulated hardware.

pub mod core;
pub mod memory;
mod observer;
mod signals;
pub mod wire;
