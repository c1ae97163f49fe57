//! The kernels' code on the simulated hardware: the monitor, the instances, and the traits through which both see the
//! machine.

pub mod host;
pub mod incarnation;
pub mod monitor;
pub mod platform;
pub mod program;
pub mod tenant;
pub mod transport;
