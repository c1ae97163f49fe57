//! The timeline of a takeover: a stamp for each edge. Monitor and new primary write it.

use crate::sync::{AtomicU64, Ordering};
use core::array;

use crate::cause::Cause;
use crate::layout::layout;
use crate::numbered::numbered;

numbered! {
    /// Moments of a takeover, in their order. The number is the index in [`Timeline`]. An instance without such a
    /// moment leaves it out.
    ///
    /// The monitor stamps the edges up to [`Edge::DevicesQuiet`]; the instance that is promoted stamps the others.
    pub enum Edge {
        /// Absent if there was no keepalive.
        LastKeepalive = 0, "last-keepalive", "the newest keepalive of the dead primary was observed";
        Detected = 1, "detected", "the primary was declared dead";
        Fenced = 2, "fenced", "every core of the dead primary has checked in at the fence";
        InterruptsSeized = 3, "interrupts-seized", "the monitor has taken the interrupt controllers";
        DevicesQuiet = 4, "devices-quiet", "no device of the dead primary masters the bus any more";
        Resumed = 9, "resumed", "a parked kernel runs again";
        DevicesAdopted = 5, "devices-adopted", "the new primary brought the devices up";
        DiskReadable = 10, "disk-readable", "the new primary has read from its disk";
        Replayed = 6, "replayed", "the tail of the journal is applied";
        Serving = 7, "serving", "the service accepts requests";
        FirstReply = 8, "first-reply", "the first reply left";
    }
}

numbered! {
    /// What is counted in a takeover. The number is the index in [`Timeline`].
    pub enum Counter {
        FenceRounds = 0, "fence-rounds", "rounds the fence needed";
        CoresLeft = 1, "cores-left", "cores that told that they left virtualization for the fence";
    }
}

numbered! {
    /// The phases of a takeover, in their order. Each is the time between two edges.
    pub enum Phase {
        Detect = 0, "detect", "from the last keepalive to the detection";
        Fence = 1, "fence", "from the detection until every core is fenced";
        Interrupts = 2, "interrupts", "until the interrupt controllers are seized";
        Devices = 3, "devices", "until the devices are adopted";
        Replay = 4, "replay", "until the tail of the journal is applied";
        FirstReply = 5, "first-reply", "until the first reply left";
        Total = 6, "total", "from the detection to the first reply";
    }
}

impl Phase {
    /// Returns the edges at which it begins and ends.
    pub const fn edges(self) -> (Edge, Edge) {
        match self {
            Self::Detect => (Edge::LastKeepalive, Edge::Detected),
            Self::Fence => (Edge::Detected, Edge::Fenced),
            Self::Interrupts => (Edge::Fenced, Edge::InterruptsSeized),
            Self::Devices => (Edge::InterruptsSeized, Edge::DevicesAdopted),
            Self::Replay => (Edge::DevicesAdopted, Edge::Replayed),
            Self::FirstReply => (Edge::Replayed, Edge::FirstReply),
            Self::Total => (Edge::Detected, Edge::FirstReply),
        }
    }
}

/// Maximum number of edges of a timeline.
pub const EDGES_MAX: usize = 16;

/// Maximum number of counters of a timeline.
pub const COUNTERS_MAX: usize = 8;

/// Number of takeovers that are kept. The oldest is overwritten.
pub const TIMELINES: usize = 16;

const _: () = {
    let mut index = 0;
    while index < Edge::COUNT {
        assert!(
            Edge::ALL[index].number() < EDGES_MAX as u64,
            "a timeline has room for every edge"
        );
        index += 1;
    }
    assert!(
        Counter::COUNT <= COUNTERS_MAX,
        "a timeline has room for every counter"
    );
};

/// One takeover.
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
    /// Starts the timeline of the takeover that leads to `epoch`.
    pub fn begin(&self, epoch: u64, cause: Cause, core: Option<u32>) {
        for word in self.edges_ns.iter().chain(&self.counters) {
            word.store(0, Ordering::Relaxed);
        }
        self.cause.store(cause.number(), Ordering::Relaxed);
        self.core.store(core.unwrap_or(0).into(), Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Returns the epoch after this takeover; 0 if the timeline is unused.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Returns the cause; `None` if its number is unknown.
    pub fn cause(&self) -> Option<Cause> {
        Cause::from_number(self.cause.load(Ordering::Relaxed))
    }

    /// Returns the core of the dead primary that failed, if it was a single one.
    pub fn core(&self) -> Option<u32> {
        let core = self.core.load(Ordering::Relaxed) as u32;
        self.cause()
            .filter(|cause| cause.names_core())
            .map(|_| core)
    }

    /// Stamps `edge` with `time_ns` since the machine's boot. A second stamp of the same edge is ignored.
    pub fn stamp(&self, edge: Edge, time_ns: u64) {
        let word = &self.edges_ns[edge as usize];
        let _ = word.compare_exchange(0, time_ns.max(1), Ordering::Release, Ordering::Relaxed);
    }

    /// Returns the stamp of `edge`; `None` if it was not reached.
    pub fn edge_ns(&self, edge: Edge) -> Option<u64> {
        let stamp = self.edges_ns[edge as usize].load(Ordering::Acquire);
        (stamp != 0).then_some(stamp)
    }

    /// Returns how long after the detection `edge` was reached, in us; negative if it was before. The stamps are
    /// claims, so the result may make no sense, but it is always a number.
    pub fn since_detection_us(&self, edge: Edge) -> Option<i64> {
        let zero_ns = self.edge_ns(Edge::Detected)?;
        let since_ns = self.edge_ns(edge)?.wrapping_sub(zero_ns);
        Some(since_ns.cast_signed() / 1000)
    }

    /// Returns how long a phase took, in us; `None` if one of its edges was not reached.
    pub fn phase_us(&self, phase: Phase) -> Option<u64> {
        let (from, to) = phase.edges();
        let took_ns = self.edge_ns(to)?.saturating_sub(self.edge_ns(from)?);
        Some(took_ns / 1000)
    }

    /// Sets a counter.
    pub fn count(&self, counter: Counter, value: u64) {
        self.counters[counter as usize].store(value, Ordering::Relaxed);
    }

    /// Reads a counter.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }
}

/// The timelines of the last [`TIMELINES`] takeovers, by epoch.
#[repr(C)]
#[derive(Debug, Default)]
pub struct TimelineLog {
    records: [Timeline; TIMELINES],
}

impl TimelineLog {
    /// Returns the timeline of the takeover that leads to `epoch`.
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
        timeline.begin(3, Cause::Hung, Some(2));
        assert_eq!(timeline.core(), Some(2));
        timeline.stamp(Edge::DevicesAdopted, 100);
        timeline.stamp(Edge::DevicesAdopted, 200);
        assert_eq!(
            (
                timeline.edge_ns(Edge::DevicesAdopted),
                timeline.edge_ns(Edge::DevicesQuiet)
            ),
            (Some(100), None)
        );
        log.of_epoch(3 + TIMELINES as u64)
            .begin(19, Cause::Reboot, Some(2));
        assert_eq!(
            (timeline.epoch(), timeline.edge_ns(Edge::DevicesAdopted)),
            (19, None)
        );
        assert_eq!(
            (timeline.cause(), timeline.core()),
            (Some(Cause::Reboot), None)
        );
    }

    #[test]
    fn edges_are_told_from_the_detection_on() {
        let timeline = Timeline::default();
        timeline.stamp(Edge::LastKeepalive, 1_000_000);
        assert_eq!(timeline.since_detection_us(Edge::LastKeepalive), None);
        timeline.stamp(Edge::Detected, 21_000_000);
        timeline.stamp(Edge::Serving, 44_000_000);
        let us = |edge| timeline.since_detection_us(edge);
        assert_eq!(us(Edge::LastKeepalive), Some(-20_000));
        assert_eq!((us(Edge::Serving), us(Edge::Fenced)), (Some(23_000), None));
    }

    #[test]
    fn phases_follow_one_another_and_add_up_to_the_total() {
        let timeline = Timeline::default();
        assert!(
            Phase::ALL
                .iter()
                .all(|phase| timeline.phase_us(*phase).is_none())
        );
        for (index, edge) in Edge::ALL.into_iter().enumerate() {
            timeline.stamp(edge, (index as u64 + 1) * 1_000_000);
        }
        let [parts @ .., Phase::Total] = Phase::ALL else {
            panic!("the total comes last")
        };
        for phases in parts.windows(2) {
            assert_eq!(phases[0].edges().1, phases[1].edges().0, "{phases:?}");
        }
        let us = |phase| timeline.phase_us(phase).unwrap();
        let since_detection: u64 = parts[1..].iter().map(|phase| us(*phase)).sum();
        assert_eq!(since_detection, us(Phase::Total));
    }

    #[test]
    fn edges_are_numbered_without_a_gap() {
        let mut numbers = Edge::ALL.map(Edge::number);
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..Edge::COUNT as u64));
    }
}
