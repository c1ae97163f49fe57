//! The subcommands that have arguments of their own.

pub mod ctl;
pub mod fuzz;
pub mod linux;
pub mod proof;
