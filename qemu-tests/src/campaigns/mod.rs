//! Longer runs that measure and show, each a command of `cargo xtask`.

pub mod bench;
pub mod clients;
pub mod demo;
pub mod false_takeovers;
pub mod instants;
pub mod qualify;
pub mod rearm;
pub mod redis_suite;
