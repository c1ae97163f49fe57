//! Deadlines: a death is noticed in time, and the takeover after it ends in time.

use std::cell::Cell;

use sharedmem::timeline::Timeline;
use takeover::{Edge, FenceConfig};

use super::Law;
use crate::machine::MS;

/// Limit of the time from the fence to the first frames of a new primary, with a core that has to be called again, in
/// ns.
const ADOPTION_NS_MAX: u64 = 100 * MS;

/// A death that must be noticed.
#[derive(Clone, Copy)]
struct Death {
    at_ns: u64,
    /// Limit of the time until it is noticed.
    limit_ns: u64,
    /// Epoch of the primary that died.
    epoch: u64,
}

/// The deadline that runs.
#[derive(Default)]
pub struct Deadlines(Cell<Option<Death>>);

impl Deadlines {
    /// Begins a deadline for a death. Without a limit, ends the deadline that runs.
    pub fn begin(&self, at_ns: u64, limit_ns: Option<u64>, epoch: u64) {
        self.0.set(limit_ns.map(|limit_ns| Death {
            at_ns,
            limit_ns,
            epoch,
        }));
    }

    /// Ends the deadline that runs.
    pub fn forget(&self) {
        self.0.set(None);
    }

    /// Checks and ends the deadline that runs, when a primary serves whose takeover has this timeline.
    pub fn serves(&self, now_ns: u64, timeline: &Timeline) -> Law {
        let Some(death) = self.0.take() else {
            return Ok(());
        };
        // A later epoch means that the successor never came up: then this is the successor's successor.
        let is_successor = timeline.epoch() == death.epoch + 1;
        let detected = timeline.edge_ns(Edge::Detected);
        let Some(detected_ns) = detected.filter(|_| is_successor) else {
            return Ok(());
        };
        let (unnoticed_ns, took_ns) = (
            detected_ns.saturating_sub(death.at_ns),
            now_ns - detected_ns,
        );
        let takes_ns_max = FenceConfig::default().worst_case_ns() + ADOPTION_NS_MAX;
        if unnoticed_ns > death.limit_ns {
            return Err(format!(
                "a death is noticed after {unnoticed_ns} ns, not within {} ns",
                death.limit_ns
            ));
        }
        if took_ns > takes_ns_max && detected_ns >= death.at_ns {
            return Err(format!(
                "a takeover takes {took_ns} ns, not at most {takes_ns_max} ns"
            ));
        }
        Ok(())
    }
}
