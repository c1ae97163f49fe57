//! Computations in C: the functions that `include/compute.h` declares. Built with the feature `image`, the static
//! library is the kernel of a slice, too, so that a program in C and the library are an image.
//!
//! The compiler cannot see to it that C writes a whole step. So what a step leaves alone stays as it was committed, and
//! at the beginning it is zero.
#![cfg_attr(feature = "image", no_std)]

extern crate alloc;

mod calls;
#[cfg(feature = "image")]
mod image;
mod program;

pub use calls::*;
pub use program::{Body, CPart, CRegion, Handle, Main, run};
