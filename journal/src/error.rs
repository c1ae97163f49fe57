//! Why a journal cannot be made, or a record cannot be appended.

use core::error::Error;
use core::fmt::{self, Display, Formatter};

use sharedmem::own_word::Overwritten;

use crate::record::{CAPACITY_BYTES_MIN, EPOCH_MAX};

/// The ring is too small to be a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// Its size, in bytes.
    pub capacity_bytes: u64,
}

impl Display for TooSmall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a journal of {} bytes is too small: {CAPACITY_BYTES_MIN} bytes is the least",
            self.capacity_bytes
        )
    }
}

impl Error for TooSmall {}

/// Why a record was not appended. Nothing was reserved or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The backup has not made room yet. The caller decides whether to wait, and for how long.
    Full {
        /// Bytes the record needs.
        needed_bytes: u64,
        /// Bytes that are free.
        free_bytes: u64,
    },
    /// The payload is too large for one record of this journal. It has to be cut into several.
    TooLarge {
        /// Bytes of the payload.
        payload_bytes: usize,
        /// Most bytes a payload may have.
        max_bytes: u32,
    },
    /// The cursors contradict each other: somebody wrote over them, so that no room can be called free.
    CursorsCorrupt {
        /// The cursor of the producers.
        reserved: u64,
        /// The lower one of `consumed` and `retained`.
        floor: u64,
    },
    /// The epoch does not fit a record.
    EpochTooLarge {
        /// The epoch.
        epoch: u64,
    },
    /// Somebody overwrote a cursor that only the primary writes.
    Overwritten(Overwritten),
}

impl From<Overwritten> for AppendError {
    fn from(overwritten: Overwritten) -> Self {
        Self::Overwritten(overwritten)
    }
}

impl Display for AppendError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full {
                needed_bytes,
                free_bytes,
            } => write!(
                f,
                "journal full: the record needs {needed_bytes} bytes, {free_bytes} are free until the backup applies \
                more"
            ),
            Self::TooLarge {
                payload_bytes,
                max_bytes,
            } => write!(
                f,
                "payload of {payload_bytes} bytes is too large for this journal: at most {max_bytes} would fit one \
                record"
            ),
            Self::CursorsCorrupt { reserved, floor } => write!(
                f,
                "journal cursors are corrupt: reserved {reserved} does not follow what is kept from {floor} on by at \
                most the ring's size"
            ),
            Self::EpochTooLarge { epoch } => write!(
                f,
                "epoch {epoch} does not fit a record: {EPOCH_MAX} is the largest"
            ),
            Self::Overwritten(overwritten) => overwritten.fmt(f),
        }
    }
}

impl Error for AppendError {}
