//! Reads the files of a boot: those in boot archives ([`archive`]), and modules that are files themselves ([`files`]).
//! Says of any bytes what they are ([`content`]).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod archive;
pub mod content;
pub mod files;
mod links;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
