//! Campaigns with Linux tenants, each a command of `cargo xtask`.

pub mod boot;
pub mod cost;
pub mod deb;
pub mod demo;
pub mod devices;
pub mod iso;
pub mod kdump;
pub mod lives;
pub mod matrix;
pub mod modules;
mod statistics;
