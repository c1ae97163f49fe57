//! Who wishes the machine ill. [`faults`] are damage from outside, made by the emulator's debugger; [`hostile`] are
//! attacks by clients. Each is tried on a machine of its own, with clients that keep accounts, and each is a command of
//! `cargo xtask`.

#![forbid(unsafe_code)]

pub mod faults;
pub mod hostile;
