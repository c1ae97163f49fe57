//! What is tried on machines. [`cases`] are the tests of `cargo xtask test`, which [`suite`] runs. [`campaigns`] are
//! longer runs that measure and show, each a command of its own. [`linux`] has machines with Linux tenants, which both
//! use.

#![forbid(unsafe_code)]

pub mod campaigns;
pub mod cases;
pub mod linux;
pub mod suite;
