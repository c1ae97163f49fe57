//! What a service counts for `INFO`.

use serde::{Deserialize, Serialize};

/// Counters for `INFO`.
#[derive(Default, Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Statistics {
    /// Connections that were accepted.
    pub connections_received: u64,
    /// Connections that were refused.
    pub connections_rejected: u64,
    /// Commands that were run.
    pub commands_processed: u64,
}
