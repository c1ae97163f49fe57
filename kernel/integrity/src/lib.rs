//! Whether memory that must not change is as it was.
//!
//! - [`Piece`]: some words that must not change, and which of their bits the processor may change all the same.
//! - [`constant_pieces`]: the pieces of an address space: its tables, and what it maps without write permission.
//! - [`Sweep`]: compares pieces with their digests, a few pages at a time.
//!
//! All of it is pure: memory is behind the trait [`Memory`]. A digest is a CRC-32C, which finds every change of up to
//! 32 bits in a row, and any other but one in four thousand million.
//!
//! # Example
//! ```
//! use core::sync::atomic::{AtomicU64, Ordering};
//! use integrity::{Memory, Page, Piece, Sweep};
//!
//! struct OnePage(Page);
//! impl Memory for OnePage {
//!     fn owns(&self, start: u64, bytes: u64) -> bool {
//!         start == 0 && bytes == 4096
//!     }
//!     fn page(&mut self, address: u64) -> Option<&Page> {
//!         (address == 0).then_some(&self.0)
//!     }
//! }
//!
//! let mut memory = OnePage([const { AtomicU64::new(7) }; 512]);
//! let mut sweep = Sweep::of(Piece::of_bytes(0..4096));
//! sweep.learn(&mut memory);
//! assert!(sweep.step(&mut memory, 1).is_ok());
//! memory.0[9].store(8, Ordering::Relaxed);
//! assert_eq!(sweep.step(&mut memory, 1).unwrap_err().address, 0);
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod address_space;
mod memory;
mod sweep;

pub use address_space::{WalkError, constant_pieces};
pub use memory::{Memory, PAGE_BYTES, Page, Piece};
pub use sweep::{Altered, LAP_NS, Sweep};
