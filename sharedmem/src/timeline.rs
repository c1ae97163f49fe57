//! The timeline of a takeover: a stamp for each edge, written by monitor and new primary, read by whoever asks.

use crate::sync::{AtomicU64, Ordering};
use core::array;

use crate::layout::layout;
/// Edges a timeline has room for.
pub const EDGES_MAX: usize = 16;

/// Counters a timeline has room for.
pub const COUNTERS_MAX: usize = 8;

/// Takeovers remembered; the oldest is overwritten.
pub const TIMELINES: usize = 16;

/// One takeover. What the indices mean is `takeover`'s business; here they are columns.
#[repr(C)]
#[derive(Debug)]
pub struct Timeline {
    epoch: AtomicU64,
    cause: AtomicU64,
    core: AtomicU64,
    edges_ns: [AtomicU64; EDGES_MAX],
    counters: [AtomicU64; COUNTERS_MAX],
}

layout!(Timeline: epoch, cause, core, edges_ns, counters);

impl Default for Timeline {
    fn default() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            cause: AtomicU64::new(0),
            core: AtomicU64::new(0),
            edges_ns: array::from_fn(|_| AtomicU64::new(0)),
            counters: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Timeline {
    /// Starts the record of the takeover that leads to `epoch`.
    pub fn begin(&self, epoch: u64, cause: u64, core: u64) {
        for word in self.edges_ns.iter().chain(&self.counters) {
            word.store(0, Ordering::Relaxed);
        }
        self.cause.store(cause, Ordering::Relaxed);
        self.core.store(core, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Release);
    }

    /// The epoch this takeover led to; 0 if the record is unused.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Number of the cause.
    pub fn cause(&self) -> u64 {
        self.cause.load(Ordering::Relaxed)
    }

    /// The core the cause names.
    pub fn core(&self) -> u64 {
        self.core.load(Ordering::Relaxed)
    }

    /// Stamps `edge` with `time_ns` since the machine's boot. The first stamp stays.
    pub fn stamp(&self, edge: usize, time_ns: u64) {
        if let Some(word) = self.edges_ns.get(edge) {
            let _ = word.compare_exchange(0, time_ns.max(1), Ordering::Release, Ordering::Relaxed);
        }
    }

    /// The stamp of `edge`; `None` if it was not reached.
    pub fn edge_ns(&self, edge: usize) -> Option<u64> {
        self.edges_ns
            .get(edge)
            .map(|word| word.load(Ordering::Acquire))
            .filter(|stamp| *stamp != 0)
    }

    /// Sets counter `index`.
    pub fn count(&self, index: usize, value: u64) {
        if let Some(word) = self.counters.get(index) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Reads counter `index`.
    pub fn counter(&self, index: usize) -> u64 {
        self.counters
            .get(index)
            .map_or(0, |word| word.load(Ordering::Relaxed))
    }
}

/// The last [`TIMELINES`] takeovers, by epoch.
#[repr(C)]
#[derive(Debug, Default)]
pub struct TimelineLog {
    records: [Timeline; TIMELINES],
}

impl TimelineLog {
    /// The place of the takeover that leads to `epoch`.
    pub fn of_epoch(&self, epoch: u64) -> &Timeline {
        &self.records[(epoch % TIMELINES as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_of_an_edge_stays_until_the_record_is_used_again() {
        let log = TimelineLog::default();
        let timeline = log.of_epoch(3);
        timeline.begin(3, 1, 2);
        timeline.stamp(5, 100);
        timeline.stamp(5, 200);
        timeline.stamp(EDGES_MAX, 1); // An edge of a newer revision: ignored.
        assert_eq!(
            (
                timeline.edge_ns(5),
                timeline.edge_ns(4),
                timeline.edge_ns(EDGES_MAX)
            ),
            (Some(100), None, None)
        );
        log.of_epoch(3 + TIMELINES as u64).begin(19, 1, 0);
        assert_eq!((timeline.epoch(), timeline.edge_ns(5)), (19, None));
    }
}
