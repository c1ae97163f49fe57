//! The lock-free structures, one after another, in every execution that the memory model allows: `cargo xtask loom`.
#![cfg(loom)]

mod epitaph;
mod keepalive;
mod log_ring;
mod mailbox;
mod words;
