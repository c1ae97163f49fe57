//! PCI: configuration space, the walk over the buses, capabilities, base addresses, and how to make a function quiet.
//!
//! This is the one place that reads configuration space, for the monitor and for the drivers of the instance alike.

pub mod bars;
pub mod capability;
pub mod config;
pub mod msix;
mod quiet;
mod scan;

#[cfg(test)]
mod fake;

pub use config::{ConfigSpace, PortConfigSpace};
pub use quiet::quiet;
pub use scan::{is_bridge, scan};
