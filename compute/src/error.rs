//! Why a computation cannot go on.

use core::fmt;

use crate::collective::Collective;

/// Why a computation cannot go on. To enter it again would lead to the same error, unless it is
/// [`Stopped`](Self::Stopped).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Another rank has ended the computation.
    Stopped,
    /// This rank and another came to different collective operations.
    Disagreement {
        /// The other rank.
        other: usize,
        /// What this rank came to.
        mine: Collective,
        /// What the other one came to; `None` if it is nothing that this program knows.
        theirs: Option<Collective>,
    },
    /// The regions, up to this one, need more bytes than there are.
    Room {
        /// The region that has no room.
        region: &'static str,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that there are.
        present: u64,
    },
    /// The memory holds a committed step of other regions, or of another number of ranks.
    OtherRegions,
    /// The rank's part of the last committed step is not what was committed.
    Damaged {
        /// The step.
        step: u64,
    },
    /// The regions cannot be offered as results: there are too many, or a name is too long.
    Names,
    /// The program found something wrong.
    Program(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => write!(f, "another rank has ended the computation"),
            Self::Disagreement {
                other,
                mine,
                theirs,
            } => {
                write!(f, "this rank came to {mine}, rank {other} ")?;
                match theirs {
                    Some(theirs) => write!(f, "to {theirs}"),
                    None => write!(f, "to something else"),
                }
            }
            Self::Room {
                region,
                needed,
                present,
            } => write!(
                f,
                "region {region} does not fit: {needed} bytes are needed, there are {present}"
            ),
            Self::OtherRegions => write!(
                f,
                "the memory holds a step of other regions or of another number of ranks"
            ),
            Self::Damaged { step } => write!(
                f,
                "step {step} was committed, and its memory has changed since"
            ),
            Self::Names => write!(f, "there are too many regions, or a name is too long"),
            Self::Program(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for Error {}
