//! PCI: configuration space, the walk over the buses, capabilities, base addresses, and how to make a function quiet.
//!
//! Monitor and instance both read configuration space through this module alone.

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
