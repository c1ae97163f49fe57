//! What is tried on machines. [`cases`] are the tests of `cargo xtask test`, which [`suite`] runs. [`campaigns`] are
//! longer runs that measure and show, each a command of its own. Machines with Linux tenants, and the campaigns on
//! them, are in the crate `linux-tests`.

#![forbid(unsafe_code)]

pub mod campaigns;
pub mod cases;
pub mod suite;
