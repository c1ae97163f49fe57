//! A hand-over that an operator has asked for.

use serde::{Deserialize, Serialize};

/// A requested hand-over that has not happened yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Failover {
    /// Epoch of the primary that was asked. A later one ignores the request.
    pub epoch: u64,
    /// When the request expires, in ms since 1970.
    pub until_ms: u64,
}

impl Failover {
    /// Returns whether the primary of `epoch` is to hand over at `now_ms`.
    pub fn is_due(&self, epoch: u64, now_ms: u64) -> bool {
        self.epoch == epoch && now_ms < self.until_ms
    }
}
