//! Kinds of damage to the journal.

use crate::numbered::numbered;

numbered! {
    /// What can be wrong with a stretch of the journal.
    pub enum DamageKind {
        Cursors = 1, "cursors", "the cursors contradict each other";
        Hole = 2, "hole", "reserved and never published, with records behind it";
        TornTail = 3, "torn-tail", "reserved and never published, with nothing behind it";
        Length = 4, "length", "a published record with an impossible length";
        Checksum = 5, "checksum", "a published record that does not match its checksum";
        ForeignEpoch = 6, "foreign-epoch", "a complete record of an epoch that was not the primary's";
        FalseHeaders = 7, "false-headers", "too many headers without a record behind them";
    }
}
