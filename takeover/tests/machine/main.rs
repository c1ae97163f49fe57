//! The machine, transition by transition.

#[path = "../common/mod.rs"]
mod common;

mod absence;
mod death;
mod ending;
mod failure;
mod primary;
mod takeover;
