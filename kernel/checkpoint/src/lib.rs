//! The form in which a primary tells its state to a new backup: a sequence of *items* in journal records of bounded size.
//!
//! An item is a *head*, whose structure its reader knows, or a part of a *string*, which may be longer than a record. What the heads are, and which
//! strings follow each, is the business of those whose state it is. Records are numbered, so that one that is missing is noticed. The encoding is
//! `postcard`'s.
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
    /// Says what follows. [`decode`] takes it apart.
    Head(#[serde(with = "serde_bytes")] &'a [u8]),
    /// Some bytes of a string.
    Part {
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
        /// The string ends behind them.
        is_last: bool,
    },
}

/// A record does not hold what one of its kind holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong with it.
    pub &'static str,
);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint: {}", self.0)
    }
}

impl core::error::Error for Malformed {}
