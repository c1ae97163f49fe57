//! Why the state of a backup cannot be the primary's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sharedmem::abi::SeatStatus;

/// Bytes of a key that its description shows.
const KEY_BYTES: usize = 64;

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
    /// A value in memory is not what was stored.
    Corrupt {
        /// Its key, as it is in memory.
        key: Vec<u8>,
    },
    /// At a position of the journal it is not the primary's.
    Diverged {
        /// Where.
        position: u64,
        /// What differs.
        what: &'static str,
    },
}

impl Doubt {
    /// Returns what the monitor is told.
    pub fn status(&self) -> SeatStatus {
        match self {
            Self::Damaged { .. } => SeatStatus::Damaged,
            Self::Corrupt { .. } => SeatStatus::Corrupt,
            Self::Diverged { .. } => SeatStatus::Diverged,
        }
    }

    /// Returns whether the state that the journal makes from position `beginning` on is a better one.
    pub fn is_settled_from(&self, beginning: u64) -> bool {
        match self {
            Self::Damaged { position, .. } => beginning > *position,
            // The journal is not what is wrong.
            Self::Corrupt { .. } | Self::Diverged { .. } => true,
        }
    }
}

/// Writes what is wrong.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { what, .. } => f.write_str(what),
            Self::Corrupt { key } => write!(
                f,
                "the value of '{}' is not what was stored",
                key[..key.len().min(KEY_BYTES)].escape_ascii()
            ),
            Self::Diverged { position, what } => write!(
                f,
                "at position {position} of the journal {what} are not the primary's"
            ),
        }
    }
}
