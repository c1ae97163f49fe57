//! What is wrong with a network card.

use core::fmt;

/// A queue of a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// The one on which frames arrive.
    Receive,
    /// The one on which frames leave.
    Transmit,
}

/// Why a network card cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing answers at the function's address.
    Gone,
    /// The function does not answer at its memory addresses.
    MemoryOff,
    /// The function may not access memory.
    BusMasterOff,
    /// The device's status register does not say that it works.
    Status {
        /// What it says.
        found: u8,
    },
    /// The device claims to have used buffers that it does not have.
    UsedIndex {
        /// The queue.
        queue: Queue,
        /// The index that it gives.
        found: u16,
    },
    /// The device returned a buffer that it does not have, or more bytes than fit.
    UsedEntry {
        /// The queue.
        queue: Queue,
    },
    /// Frames wait at the gate, and none leaves.
    FramesWait,
    /// The card has frames to send, and returns none of them.
    NotReaped,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "receive",
            Self::Transmit => "transmit",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("nothing answers at its PCI address"),
            Self::MemoryOff => f.write_str("PCI memory space is switched off"),
            Self::BusMasterOff => f.write_str("PCI bus mastering is switched off"),
            Self::Status { found } => write!(f, "its status register reads {found:#x}"),
            Self::UsedIndex { queue, found } => {
                write!(f, "the used index of its {queue} queue cannot be {found}")
            }
            Self::UsedEntry { queue } => {
                write!(
                    f,
                    "its {queue} queue returned a buffer that it did not have"
                )
            }
            Self::FramesWait => f.write_str("frames wait at the gate, and none leaves"),
            Self::NotReaped => f.write_str("it has frames to send, and returns none"),
        }
    }
}
