//! The kinds of records in the journal.

use crate::numbered::numbered;

numbered! {
    /// What a record of the journal holds.
    pub enum RecordKind {
        Input = 1, "input", "input of the native service";
        /// A native instance keeps it to be read, and never takes it for input.
        Application = 2, "application", "what a program of a Linux appended through `/dev/understudy`";
        Connection = 3, "connection", "a fact about a connection of the native service";
        Status = 4, "status", "what a native primary knows of itself and its backup, for replies";
        Checkpoint = 5, "checkpoint", "a part of a checkpoint, in which a native primary tells its state";
        /// It has no payload: its epoch is what it says.
        Epoch = 6, "epoch", "the beginning of a new native owner's part";
    }
}

/// Set in the kind of a record that stopped two owners: input is answered with an error, anything else is passed over.
pub const RECORD_SKIPPED: u16 = 1 << 15;
