//! Kinds of the journal's records.

use journal::Kind;
use sharedmem::abi::{
    RECORD_KIND_APPLICATION, RECORD_KIND_CHECKPOINT, RECORD_KIND_CONNECTION, RECORD_KIND_EPOCH,
    RECORD_KIND_INPUT, RECORD_KIND_STATUS, RECORD_SKIPPED,
};

/// Input to the service.
pub const INPUT: Kind = Kind(RECORD_KIND_INPUT);

/// A fact about a connection.
pub const CONNECTION: Kind = Kind(RECORD_KIND_CONNECTION);

/// The primary's status.
pub const STATUS: Kind = Kind(RECORD_KIND_STATUS);

/// A part of the state that is told.
pub const CHECKPOINT: Kind = Kind(RECORD_KIND_CHECKPOINT);

/// The beginning of an owner.
pub const EPOCH: Kind = Kind(RECORD_KIND_EPOCH);

/// What a program of a Linux appended. It is nothing the service could apply.
pub const APPLICATION: Kind = Kind(RECORD_KIND_APPLICATION);

/// What stands where a producer died before it published: it is passed over.
pub const NOTHING: Kind = Kind(RECORD_SKIPPED);

/// The kind of a record that is skipped from now on.
pub fn skipped(Kind(kind): Kind) -> Kind {
    Kind(kind | RECORD_SKIPPED)
}

/// Whether a record is one that is skipped.
pub fn is_skipped(Kind(kind): Kind) -> bool {
    kind & RECORD_SKIPPED != 0
}
