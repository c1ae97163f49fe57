//! The kernels' own code on the simulated hardware: what the kernels call of their machine.

pub mod host;
pub mod incarnation;
pub mod platform;
pub mod tenant;
pub mod transport;
