//! A takeover as the guest reports it: stamps in, durations out.

use serde_json::{Value, json};
use sharedmem::cause::Cause;
use sharedmem::event;
use sharedmem::timeline::{Counter, Edge, Phase};

use crate::problem::Problem;

/// A takeover, and the first reply after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineReport {
    /// What the new primary reports. Its stamps are in order, and all from the detection to the service are there.
    pub event: event::Takeover,
    /// When the first reply left, in ns since boot.
    first_reply_ns: Option<u64>,
}

/// The edges that every takeover of a native instance reaches, in order.
const EDGES: [Edge; 7] = [
    Edge::Detected,
    Edge::Fenced,
    Edge::InterruptsSeized,
    Edge::DevicesQuiet,
    Edge::DevicesAdopted,
    Edge::Replayed,
    Edge::Serving,
];

impl TimelineReport {
    /// Takes what the new primary reports. The first reply is in an event of its own.
    ///
    /// # Errors
    /// A stamp is missing, or stamps go backwards.
    pub fn of(event: event::Takeover) -> Result<Self, Problem> {
        let last_keepalive_ns = event.edges.ns(Edge::LastKeepalive).unwrap_or(0);
        let mut earlier = (
            "fault and last keepalive",
            event.fault_ns.max(last_keepalive_ns),
        );
        for edge in EDGES {
            let (name, at_ns) = (edge.name(), event.edges.ns(edge).unwrap_or(0));
            if at_ns == 0 || at_ns < earlier.1 {
                return Err(Problem::Failed(format!(
                    "the timeline goes backwards: {} at {} ns, {name} at {at_ns} ns",
                    earlier.0, earlier.1
                )));
            }
            earlier = (name, at_ns);
        }
        Ok(Self {
            event,
            first_reply_ns: None,
        })
    }

    /// Adds the moment of the first reply.
    ///
    /// # Errors
    /// The reply is another epoch's, or lies before the replay's end.
    pub fn with_first_reply(mut self, reply: &event::FirstReply) -> Result<Self, Problem> {
        if reply.epoch != self.event.epoch || reply.at_ns < self.ns(Edge::Replayed) {
            return Err(Problem::Failed(format!(
                "the first reply at {} ns does not belong to {}",
                reply.at_ns, self.event
            )));
        }
        self.first_reply_ns = Some(reply.at_ns);
        Ok(self)
    }

    /// Returns the cause, in a word.
    pub fn cause_name(&self) -> &'static str {
        self.event.cause.map_or("unknown", Cause::name)
    }

    /// Returns the rounds that the fence needed.
    pub fn fence_rounds(&self) -> u64 {
        self.event.counters.get(Counter::FenceRounds)
    }

    /// Returns when one of [`EDGES`] was reached, in ns since boot.
    fn ns(&self, edge: Edge) -> u64 {
        self.event.edges.ns(edge).unwrap_or(0)
    }

    /// Returns the time from one of the edges to a later one, in us.
    fn between_us(&self, start: Edge, end: Edge) -> f64 {
        us(self.ns(start), self.ns(end))
    }

    /// Returns the time from the detection until requests are taken, in us.
    pub fn detected_to_serving_us(&self) -> f64 {
        self.between_us(Edge::Detected, Edge::Serving)
    }

    /// Returns when it began: with the fault, or, if that is not known, with the last keepalive.
    fn start_ns(&self) -> Option<u64> {
        let last_keepalive_ns = self.event.edges.ns(Edge::LastKeepalive);
        Some(self.event.fault_ns)
            .filter(|ns| *ns != 0)
            .or(last_keepalive_ns)
    }

    /// Returns the time from the fault to its detection, in us.
    pub fn detect_us(&self) -> Option<f64> {
        self.start_ns()
            .map(|start_ns| us(start_ns, self.ns(Edge::Detected)))
    }

    /// Returns the time from the detection to the first reply, in us.
    pub fn detected_to_first_reply_us(&self) -> Option<f64> {
        let detected_ns = self.ns(Edge::Detected);
        self.first_reply_ns.map(|end_ns| us(detected_ns, end_ns))
    }

    /// Returns the phases in order, with their durations in us. A phase is unknown if one of its edges is.
    pub fn phases(&self) -> [(Phase, Option<f64>); Phase::COUNT] {
        Phase::ALL.map(|phase| (phase, self.phase_us(phase)))
    }

    fn phase_us(&self, phase: Phase) -> Option<f64> {
        let (start, end) = phase.edges();
        let at_ns = |edge| match edge {
            Edge::FirstReply => self.first_reply_ns,
            _ => self.event.edges.ns(edge),
        };
        let start_ns = match phase {
            // A test knows when the fault was.
            Phase::Detect | Phase::Total => self.start_ns(),
            Phase::Fence
            | Phase::Interrupts
            | Phase::Devices
            | Phase::Replay
            | Phase::FirstReply => at_ns(start),
        };
        Some(us(start_ns?, at_ns(end)?))
    }

    /// Formats the report for tools.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "epoch": self.event.epoch,
            "cause": self.cause_name(),
            "fence_rounds": self.fence_rounds(),
            "records": self.event.records,
            "findings": self.event.findings,
        });
        for (phase, duration_us) in self.phases() {
            let name = phase.name().replace('-', "_");
            object[format!("{name}_us")] = json!(duration_us);
        }
        object
    }
}

/// Returns the microseconds from one stamp to a later one.
fn us(start_ns: u64, end_ns: u64) -> f64 {
    // Below 2^53 ns, which is 104 days, this is exact.
    (end_ns - start_ns) as f64 / 1000.0
}

/// Takeovers for tests.
#[doc(hidden)]
pub mod samples {
    use super::TimelineReport;
    use sharedmem::cause::Cause;
    use sharedmem::event::{self, Counters, EdgeTimes};
    use sharedmem::timeline::{Counter, Edge};

    /// Returns what a new primary says of a takeover into epoch 2.
    pub fn event(cause: Cause) -> event::Takeover {
        let mut counters = Counters::default();
        counters.set(Counter::FenceRounds, 1);
        let mut edges = EdgeTimes::default();
        for (edge, at_ns) in [
            (Edge::LastKeepalive, 900_000),
            (Edge::Detected, 1_012_000),
            (Edge::Fenced, 1_500_000),
            (Edge::InterruptsSeized, 1_506_000),
            (Edge::DevicesQuiet, 1_510_000),
            (Edge::DevicesAdopted, 1_900_000),
            (Edge::Replayed, 1_911_000),
            (Edge::Serving, 2_000_000),
        ] {
            edges.set(edge, Some(at_ns));
        }
        event::Takeover {
            epoch: 2,
            cause: Some(cause),
            core: Some(0),
            counters,
            records: 3,
            findings: 0,
            fault_ns: 1_000_000,
            edges,
        }
    }

    /// Returns the same takeover, with its first reply.
    pub fn takeover(cause: Cause) -> TimelineReport {
        let reply = event::FirstReply {
            epoch: 2,
            at_ns: 2_100_500,
        };
        let takeover = TimelineReport::of(event(cause)).and_then(|it| it.with_first_reply(&reply));
        takeover.expect("the stamps are in order")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic() -> event::Takeover {
        samples::event(Cause::Panic)
    }

    #[test]
    fn stamps_become_durations() {
        let takeover = TimelineReport::of(panic()).unwrap();
        assert_eq!(
            takeover.phases()[5..],
            [(Phase::FirstReply, None), (Phase::Total, None)]
        );
        let takeover = samples::takeover(Cause::Panic);
        let durations: Vec<f64> = takeover
            .phases()
            .into_iter()
            .map(|(_, duration)| duration.unwrap())
            .collect();
        assert_eq!(durations, [12.0, 488.0, 6.0, 394.0, 11.0, 189.5, 1100.5]);
        assert_eq!(durations[..6].iter().sum::<f64>(), durations[6]);
        assert_eq!(takeover.detected_to_first_reply_us(), Some(1088.5));
        let object = takeover.json();
        for key in [
            "detect_us",
            "fence_us",
            "interrupts_us",
            "devices_us",
            "replay_us",
            "first_reply_us",
            "total_us",
        ] {
            assert!(object[key].is_f64(), "{key} in {object}");
        }
        assert_eq!(
            (object["cause"].as_str(), object["records"].as_u64()),
            (Some("panic"), Some(3))
        );
    }

    #[test]
    fn without_a_known_fault_it_begins_at_the_last_keepalive() {
        let mut event = panic();
        event.fault_ns = 0;
        let silent = TimelineReport::of(event.clone()).unwrap();
        assert_eq!(silent.detect_us(), Some(112.0));
        event.edges.set(Edge::LastKeepalive, None);
        let never = TimelineReport::of(event).unwrap();
        assert_eq!(never.detect_us(), None);
        assert!(never.json()["detect_us"].is_null());
    }

    #[test]
    fn a_timeline_that_cannot_be_is_reported() {
        let spoilt: [fn(&mut event::Takeover); 3] = [
            |event| event.edges.set(Edge::Fenced, Some(1000)),
            |event| event.edges.set(Edge::Serving, None),
            |event| event.fault_ns = 1_012_001,
        ];
        for spoil in spoilt {
            let mut event = panic();
            spoil(&mut event);
            assert!(TimelineReport::of(event.clone()).is_err(), "{event}");
        }
        for (epoch, at_ns) in [(3, 2_100_500), (2, 1_900_000)] {
            let reply = event::FirstReply { epoch, at_ns };
            let takeover = TimelineReport::of(panic()).unwrap();
            assert!(takeover.with_first_reply(&reply).is_err(), "{reply}");
        }
    }
}
