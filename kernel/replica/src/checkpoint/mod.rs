//! Checkpoints: a primary writes its state into records of the journal, among the others; a new backup restores it.
//!
//! A checkpoint begins and ends with a mark. It contains the effects of the other records between the two marks, so a
//! reader does not apply those; it applies the records behind the end.
//!
//! Writer and reader both use the marks and the state here. Nothing here uses them; they are only listed.

mod restore;
mod writer;

pub use restore::CheckpointReader;
pub use writer::CheckpointWriter;

use network::Flows;
use serde::{Deserialize, Serialize};
use service::Service;

/// The part of a replica's state that a checkpoint contains.
pub struct CheckpointedState {
    /// Keys, values, and incomplete requests.
    pub service: Service,
    /// The connections.
    pub flows: Flows,
    /// Time of the newest record, in ms.
    pub last_time_ms: u64,
}

/// Section of the marks, in a checkpoint's records.
const MARKS: u8 = 0;
/// Section of the service's state.
const SERVICE: u8 = 1;
/// Section of the connections.
const CONNECTIONS: u8 = 2;

/// A mark in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
enum Mark {
    Begin,
    End { last_time_ms: u64 },
}
