//! The machine, transition by transition.

#[path = "../common/mod.rs"]
mod common;

mod absence;
mod death;
mod ending;
mod failure;
mod left_out;
mod primary;
mod takeover;
