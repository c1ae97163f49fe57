//! How the machine came to this owner, by the timeline in the shared region.

use alloc::string::String;
use alloc::vec::Vec;

use journal::RecoverySummary;
use serde_json::{Map, Value, json};
use sharedmem::Control;
use takeover::timeline::{Cause, Counter, Edge};

/// The takeover that made this instance the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverStatus {
    pub(crate) epoch: u64,
    pub(crate) cause: &'static str,
    /// The dead primary's core that the cause names.
    pub(crate) core: Option<u32>,
    pub(crate) fence_rounds: u64,
    /// Edges in the order in which they came, in us since the detection; those before it are negative.
    pub(crate) edges_us: Vec<(&'static str, i64)>,
    pub(crate) recovered: RecoverySummary,
}

impl TakeoverStatus {
    /// The takeover that led to `epoch`; `None` if none did.
    pub fn of(control: &Control, epoch: u64, recovered: RecoverySummary) -> Option<Self> {
        let timeline = control.timelines.of_epoch(epoch);
        if timeline.epoch() != epoch {
            return None;
        }
        let zero_ns = timeline.edge_ns(Edge::Detected.index()).unwrap_or(0);
        // The stamps are claims: a difference that makes no sense is still a number.
        let since_us = |ns: u64| ns.wrapping_sub(zero_ns).cast_signed() / 1000;
        let mut edges_us: Vec<(&'static str, i64)> = Edge::ALL
            .into_iter()
            .filter_map(|edge| Some((edge.name(), since_us(timeline.edge_ns(edge.index())?))))
            .collect();
        edges_us.sort_by_key(|(_, us)| *us);
        let cause = Cause::from_code(timeline.cause(), timeline.core() as u32);
        Some(Self {
            epoch,
            cause: cause.map_or("unknown", Cause::name),
            core: cause.and_then(Cause::core),
            fence_rounds: timeline.counter(Counter::FenceRounds.index()),
            edges_us,
            recovered,
        })
    }

    /// The cause, for people.
    pub(crate) fn reason(&self) -> &'static str {
        match self.cause {
            "panic" => "it said so itself, in an epitaph",
            "silent" => "no keepalive came within the time-out",
            "hung" => "a core of it did not go round within the time-out",
            "never-came-up" => "no keepalive came within the boot time-out",
            "image-refused" => "its image was refused",
            "switchover" => "it handed over on purpose",
            "reboot" => "it ended in order, to be started again",
            _ => "the cause is not one this version knows",
        }
    }

    pub(crate) fn json(&self) -> Value {
        let edges = self.edges_us.iter();
        let edges: Map<String, Value> = edges
            .map(|(name, us)| (name.replace(' ', "_") + "_us", json!(us)))
            .collect();
        json!({
            "epoch": self.epoch,
            "cause": self.cause,
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
        timeline.begin(2, Cause::Hung { core: 3 }.code(), 3);
        timeline.stamp(Edge::LastKeepalive.index(), 1_000_000);
        timeline.stamp(Edge::Serving.index(), 44_000_000);
        timeline.stamp(Edge::Detected.index(), 21_000_000);
        let takeover = TakeoverStatus::of(&control, 2, RecoverySummary::default()).unwrap();
        let json = takeover.json();
        assert_eq!((&json["cause"], &json["core"]), (&"hung".into(), &3.into()));
        assert_eq!(json["edges"]["last_keepalive_us"], -20_000);
        assert_eq!(json["edges"]["serving_us"], 23_000);
        assert_eq!(takeover.edges_us[0].0, "last keepalive");
    }

    #[test]
    fn every_cause_has_a_reason_for_people() {
        let control = Box::<Control>::default();
        let timeline = control.timelines.of_epoch(2);
        for code in 0..9 {
            timeline.begin(2, code, 0);
            let takeover = TakeoverStatus::of(&control, 2, RecoverySummary::default()).unwrap();
            let is_known = Cause::from_code(code, 0).is_some();
            assert_eq!(
                takeover.reason().contains("not one"),
                !is_known,
                "{}",
                takeover.cause
            );
        }
    }
}
