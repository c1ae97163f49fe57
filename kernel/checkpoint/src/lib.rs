//! The format of a checkpoint: a state as a sequence of *items* in journal records of bounded size.
//!
//! An item is a *head*, whose type its reader knows, or a part of a *string*, which may be longer than a record. Each
//! *section* of a checkpoint, such as the connections, defines its heads, and which strings follow each of them.
//! Records are numbered, so that a missing one is noticed. The encoding is `postcard`'s.
//!
//! # Example
//!
//! A state of two keys is written into records, and read from them:
//!
//! ```
//! use checkpoint::{Item, Items, Joiner, Sequence, Writer, decode};
//! use serde::{Deserialize, Serialize};
//!
//! /// Two strings follow a pair; nothing follows the end.
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Head {
//!     Pair,
//!     End { pairs: u64 },
//! }
//! const SECTION: u8 = 1;
//!
//! let (mut records, mut sequence) = (Vec::new(), Sequence::default());
//! let mut sink = |payload: &[u8]| records.push(payload.to_vec());
//! let mut writer = Writer::new(SECTION, &mut sequence, &mut sink);
//! for (key, value) in [("one", "1"), ("two", "2")] {
//!     writer.head(&Head::Pair);
//!     writer.string(key.as_bytes());
//!     writer.string(value.as_bytes());
//! }
//! writer.head(&Head::End { pairs: 2 });
//! drop(writer); // Writes the last record.
//!
//! let (mut heads, mut strings) = (Vec::new(), Vec::new());
//! let (mut joiner, mut sequence) = (Joiner::default(), Sequence::default());
//! for record in &records {
//!     let (section, items) = Items::of(record, &mut sequence)?;
//!     assert_eq!(section, SECTION);
//!     for item in items {
//!         match item? {
//!             Item::Head(head) => heads.push(decode::<Head>(head)?),
//!             Item::Part { bytes, is_last } => {
//!                 strings.extend(joiner.join(bytes, is_last).map(|string| string.into_owned()));
//!             }
//!         }
//!     }
//! }
//! assert_eq!(heads, [Head::Pair, Head::Pair, Head::End { pairs: 2 }]);
//! assert_eq!(strings, [&b"one"[..], b"1", b"two", b"2"]);
//! # Ok::<(), checkpoint::Malformed>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod reader;
mod schedule;
mod sequence;
mod writer;

pub use reader::{Items, Joiner, decode};
pub use schedule::Schedule;
pub use sequence::Sequence;
pub use writer::Writer;

use core::fmt;

use serde::{Deserialize, Serialize};

/// A piece of state.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item<'a> {
    /// Says what follows. [`decode`] reads it.
    Head(#[serde(with = "serde_bytes")] &'a [u8]),
    /// Some bytes of a string.
    Part {
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
        /// Whether the string ends behind them.
        is_last: bool,
    },
}

/// Why bytes are not a part of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong with them.
    pub &'static str,
);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint: {}", self.0)
    }
}

impl core::error::Error for Malformed {}
