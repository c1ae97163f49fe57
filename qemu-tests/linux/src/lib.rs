//! Machines with Linux tenants: [`tenants`] is a machine with two of them, [`mixed`] one with a Linux and a native
//! instance. [`takeover`] kills a primary on them, [`order`] lets
//! its operator work, and [`parked`] looks at a backup that waits. [`campaigns`] are
//! longer runs, each a command of `cargo xtask`.

#![forbid(unsafe_code)]

pub mod campaigns;
pub mod mixed;
pub mod order;
pub mod parked;
pub mod takeover;
pub mod tenants;
