//! The checkpoint: how a primary tells its state in records of the journal among the others, and how who reads it from there hears it.
//!
//! It begins and ends with a mark. What the other records between the two bring about is in it, so they are not applied; those behind its end are.

mod restore;
mod writer;

pub use restore::{CheckpointReader, RestoredState};
pub use writer::CheckpointWriter;

use serde::{Deserialize, Serialize};

/// Whose items are in a record.
const MARKS: u8 = 0;
const SERVICE: u8 = 1;
const CONNECTIONS: u8 = 2;

/// Where a checkpoint stands.
#[derive(Debug, Serialize, Deserialize)]
enum Mark {
    Begin,
    End { last_time_ms: u64 },
}
