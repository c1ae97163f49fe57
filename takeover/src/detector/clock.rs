//! The clocks that run against a peer.

use crate::failure::Failure;

/// A clock that runs against the peer: what it watches must not stand still for longer than `limit_ns`.
pub(super) struct Clock {
    pub failure: Failure,
    pub since_ns: u64,
    pub limit_ns: u64,
    /// For a core's progress: when the newest beat was seen. A standstill counts only up to there, because without
    /// beats it could not be told from silence.
    pub witnessed_ns: Option<u64>,
}

impl Clock {
    pub fn age_ns(&self, now_ns: u64) -> u64 {
        self.witnessed_ns
            .unwrap_or(now_ns)
            .saturating_sub(self.since_ns)
    }

    pub fn late_ns(&self) -> u64 {
        self.since_ns.saturating_add(self.limit_ns / 2)
    }

    pub fn due_ns(&self) -> u64 {
        self.since_ns.saturating_add(self.limit_ns)
    }

    /// Returns whether the clock advances without new beats.
    pub fn runs(&self) -> bool {
        self.witnessed_ns.is_none()
    }
}
