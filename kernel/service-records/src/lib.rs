//! The journal records that the service is made from: its input, and the status of the kernel around it.
//!
//! A payload is hostile bytes: whoever wrote it may have died half-way. Decoding returns an error, and never panics.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod host;
pub mod record;
pub mod status;
