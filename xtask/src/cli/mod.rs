//! The subcommands that have arguments of their own: what each is told, and what it prints.

pub mod bench;
pub mod campaign;
pub mod campaigns;
pub mod check_config;
pub mod clients;
pub mod ctl;
pub mod faults;
pub mod fuzz;
pub mod hostile;
pub mod linux;
mod linux_campaigns;
mod prepare;
pub mod proof;
mod qualify;
pub mod redis_suite;
pub mod run;
pub mod setup;
pub mod test;
