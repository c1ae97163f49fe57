//! PCI: configuration space, the walk over the buses, capabilities, base addresses, and how functions are made quiet.
//!
//! Monitor and instance both read configuration space through this module alone. All but the two ways to reach a
//! register is pure, over [`ConfigSpace`]; what a register says is hostile.

pub mod bars;
pub mod capability;
pub mod config;
pub mod ecam;
mod isolate;
pub mod msix;
mod node;
mod quiet;
mod requesters;
mod reset;
mod saved;
mod scan;
pub mod tree;
mod virtual_functions;
mod wake;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use config::{ConfigSpace, PortConfigSpace};
pub use ecam::{EcamWindow, MachineConfigSpace};
pub use isolate::CutBy;
pub use node::{Node, Place};
pub use quiet::{Fault, FaultKind, PENDING_LIMIT_NS, Quieted};
pub use reset::{RESET_LIMIT_NS, Reset, ResetMethod, ResetPolicy};
pub use tree::{BusRange, FUNCTIONS_MAX, Tree};
