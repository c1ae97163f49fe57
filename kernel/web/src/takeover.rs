//! How this instance became the primary, by the timeline in the shared region.

use alloc::string::String;
use alloc::vec::Vec;

use journal::RecoverySummary;
use serde_json::{Map, Value, json};
use sharedmem::Control;
use sharedmem::cause::Cause;
use sharedmem::timeline::{Counter, Edge};

/// The takeover that made this instance the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverStatus {
    pub(crate) epoch: u64,
    /// Why; `None` if this version does not know the cause.
    pub(crate) cause: Option<Cause>,
    /// The core of the dead primary that the cause names.
    pub(crate) core: Option<u32>,
    pub(crate) fence_rounds: u64,
    /// Edges in the order in which they happened, in us since the detection; those before it are negative.
    pub(crate) edges_us: Vec<(Edge, i64)>,
    pub(crate) recovered: RecoverySummary,
}

impl TakeoverStatus {
    /// Returns the takeover that led to `epoch`; `None` if none did.
    pub fn of(control: &Control, epoch: u64, recovered: RecoverySummary) -> Option<Self> {
        let timeline = control.timelines.of_epoch(epoch);
        if timeline.epoch() != epoch {
            return None;
        }
        let mut edges_us: Vec<(Edge, i64)> = Edge::ALL
            .into_iter()
            .filter_map(|edge| Some((edge, timeline.since_detection_us(edge)?)))
            .collect();
        edges_us.sort_by_key(|(_, us)| *us);
        Some(Self {
            epoch,
            cause: timeline.cause(),
            core: timeline.core(),
            fence_rounds: timeline.counter(Counter::FenceRounds),
            edges_us,
            recovered,
        })
    }

    /// Returns the cause in a word.
    pub(crate) fn cause_name(&self) -> &'static str {
        self.cause.map_or("unknown", Cause::name)
    }

    /// Returns the cause for people.
    pub(crate) fn reason(&self) -> &'static str {
        let unknown = "a cause that this version does not know";
        self.cause.map_or(unknown, Cause::text)
    }

    pub(crate) fn json(&self) -> Value {
        let edges = self.edges_us.iter();
        let edges: Map<String, Value> = edges
            .map(|(edge, us)| (edge.name().replace('-', "_") + "_us", json!(us)))
            .collect();
        json!({
            "epoch": self.epoch,
            "cause": self.cause_name(),
            "core": self.core,
            "fence_rounds": self.fence_rounds,
            "edges": edges,
            "replayed_records": self.recovered.records,
            "finding_count": self.recovered.finding_count,
            "findings": self.recovered.findings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_takeover_is_told_from_its_detection_on() {
        let control = Box::<Control>::default();
        assert_eq!(
            TakeoverStatus::of(&control, 2, RecoverySummary::default()),
            None
        );
        let timeline = control.timelines.of_epoch(2);
        timeline.begin(2, Cause::Hung, Some(3));
        timeline.stamp(Edge::LastKeepalive, 1_000_000);
        timeline.stamp(Edge::Serving, 44_000_000);
        timeline.stamp(Edge::Detected, 21_000_000);
        let takeover = TakeoverStatus::of(&control, 2, RecoverySummary::default()).unwrap();
        let json = takeover.json();
        assert_eq!((&json["cause"], &json["core"]), (&"hung".into(), &3.into()));
        assert_eq!(json["edges"]["last_keepalive_us"], -20_000);
        assert_eq!(json["edges"]["serving_us"], 23_000);
        assert_eq!(takeover.edges_us[0].0, Edge::LastKeepalive);
    }
}
