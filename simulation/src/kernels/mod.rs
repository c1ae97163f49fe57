//! The kernels' own code on the simulated hardware: what the kernels call of their machine.

pub mod host;
pub mod incarnation;
pub mod monitor;
pub mod platform;
pub mod program;
pub mod tenant;
pub mod transport;
