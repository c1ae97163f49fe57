//! Why the state of a backup cannot be the primary's.

use alloc::string::String;
use core::fmt;

use sharedmem::abi::SeatStatus;

/// Evidence that a state lacks something that the primary's has, or is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A record that the primary applied is damaged, missing or impossible.
    Damaged {
        /// Where it lies in the journal.
        position: u64,
        /// What is wrong with it.
        what: String,
    },
}

impl Doubt {
    /// Returns what the monitor is told.
    pub fn status(&self) -> SeatStatus {
        match self {
            Self::Damaged { .. } => SeatStatus::Damaged,
        }
    }

    /// Returns whether the state that the journal makes from position `beginning` on is a better one.
    pub fn is_settled_from(&self, beginning: u64) -> bool {
        match self {
            Self::Damaged { position, .. } => beginning > *position,
        }
    }
}

/// Writes what is wrong.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { what, .. } => f.write_str(what),
        }
    }
}
