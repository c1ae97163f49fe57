//! What is tried on machines: [`cases`] are the tests of `cargo xtask test`, which [`suite`] runs; [`campaigns`] are the longer runs that measure and show,
//! each a command of its own. [`linux`] has the machines with Linux tenants that both are made of.

#![forbid(unsafe_code)]

pub mod campaigns;
pub mod cases;
pub mod linux;
pub mod suite;
