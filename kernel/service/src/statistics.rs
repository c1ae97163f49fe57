//! What a service counts for `INFO`.

use serde::{Deserialize, Serialize};

/// Counters for `INFO`.
#[derive(Default, Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub(crate) connections_received: u64,
    pub(crate) connections_rejected: u64,
    pub(crate) commands_processed: u64,
}
