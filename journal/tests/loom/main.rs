//! The journal, in every execution that the memory model allows: `cargo xtask loom`.
#![cfg(loom)]

mod memory;
mod producers;
mod readers;
