//! The kinds of records in the journal.

use crate::numbered::numbered;

numbered! {
    /// What a record of the journal holds.
    pub enum RecordKind {
        Input = 1, "input", "input of the native service";
        /// A native instance keeps it for readers, and never takes it for input.
        Application = 2, "application", "what a program of a Linux appended through `/dev/understudy`";
        Connection = 3, "connection", "a fact about a connection of the native service";
        Status = 4, "status", "what a native primary knows of itself and its backup, for replies";
        Checkpoint = 5, "checkpoint", "a section of a checkpoint, which holds a native primary's state";
        /// It has no payload: only its epoch counts.
        Epoch = 6, "epoch", "the first record of a new native primary";
        /// A backup compares. A version that does not know it passes over it.
        Digest = 7, "digest", "fingerprints of a native primary's state at this position";
    }
}

/// This bit is set in the kind of a record in which two primaries died. Such input is answered with an error; any other
/// such record is skipped.
pub const RECORD_SKIPPED: u16 = 1 << 15;
