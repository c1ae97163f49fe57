//! Who wishes the machine ill. [`faults`] are damage from outside, made by the emulator's debugger, each kind once;
//! [`campaign`] is such damage at random, ten thousand times; [`hostile`] are attacks by clients. Each is tried on a
//! machine of its own, with clients that keep accounts ([`scene`]), and each is a command of `cargo xtask`.

#![forbid(unsafe_code)]

pub mod campaign;
pub mod faults;
pub mod hostile;
pub mod observed;
pub mod scene;
