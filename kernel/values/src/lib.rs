//! The values of keys: strings, lists, hashes, sets and sorted sets. Each counts its memory and keeps its sum, and both
//! depend on the content alone, not on the allocator or on what was there before.
//!
//! - [`Table`]: a map that keeps insertion order and never pauses to grow. Hashes, sets and the keyspace are made of
//!   it.
//! - [`Value`], and [`Kind`] for each of its types.
//! - [`sum`]: how the sum of a value follows from its strings.
//! - [`Random`]: choices made from a record's random word.
//!
//! # Example
//!
//! ```
//! use values::{Bytes, Collection, End, List};
//!
//! let mut list = List::default();
//! list.push(End::Back, Bytes::from_slice(b"a"));
//! let sum = list.sum();
//! list.push(End::Front, Bytes::from_slice(b"b"));
//! assert_ne!(list.sum(), sum);
//! assert_eq!(list.pop(End::Front).unwrap().as_slice(), b"b");
//! assert_eq!(list.sum(), sum);
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod hash;
mod list;
mod random;
mod ranked;
mod set;
mod sorted_set;
pub mod sum;
mod table;
mod value;

pub use hash::Hash;
pub use list::{End, List};
pub use random::Random;
pub use ranked::{Entries, Scored};
pub use resp::{Bytes, heap_bytes};
pub use set::Set;
pub use sorted_set::{SortedSet, read as read_score};
pub use table::{Seed, Slot, Table};
pub use value::{COLLECTION_BYTES, Collection, Kind, Value};
