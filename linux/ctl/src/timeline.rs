//! The timeline of the last takeover.

use serde_json::{Map, Value, json};
use sharedmem::Control;
use sharedmem::cause::Cause;
use sharedmem::timeline::{Counter, Edge};

use crate::module::Module;
use crate::problem::Problem;

/// A takeover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The epoch after it.
    pub epoch: u64,
    /// Why the old primary counted as dead, in a word.
    pub cause: &'static str,
    /// Number of rounds of the fence.
    pub fence_rounds: u64,
    /// Number of cores that told that they left virtualization for it.
    pub cores_left: u64,
    /// Its edges in the order in which they came, with their times since the detection, in us. Edges before the
    /// detection have negative times.
    pub edges_us: Vec<(Edge, i64)>,
}

impl Takeover {
    /// Returns the takeover that led to the current epoch; `None` if none did, or if its timeline was overwritten.
    pub fn last(control: &Control) -> Option<Self> {
        let epoch = control.epoch.current();
        let timeline = control.timelines.of_epoch(epoch);
        if timeline.epoch() != epoch {
            return None;
        }
        timeline.edge_ns(Edge::Detected)?;
        let mut edges_us: Vec<(Edge, i64)> = Edge::ALL
            .into_iter()
            .filter_map(|edge| Some((edge, timeline.since_detection_us(edge)?)))
            .collect();
        edges_us.sort_by_key(|(_, us)| *us);
        Some(Self {
            epoch,
            cause: timeline.cause().map_or("unknown", Cause::name),
            fence_rounds: timeline.counter(Counter::FenceRounds),
            cores_left: timeline.counter(Counter::CoresLeft),
            edges_us,
        })
    }

    /// Returns the takeover as JSON.
    pub fn json(&self) -> Value {
        let edges = self.edges_us.iter();
        let edges: Map<String, Value> = edges
            .map(|(edge, us)| (format!("{}_us", edge.name().replace('-', "_")), json!(us)))
            .collect();
        json!({
            "epoch": self.epoch,
            "cause": self.cause,
            "fence_rounds": self.fence_rounds,
            "cores_left": self.cores_left,
            "edges": edges,
        })
    }

    /// Returns a line for each edge.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let edges = self.edges_us.iter();
        edges.map(|(edge, us)| {
            let name = edge.name().replace('-', " ");
            format!("{:>10.3} ms  {name}", *us as f64 / 1000.0)
        })
    }
}

/// Stamps an edge, given by name or number.
///
/// # Errors
/// Returns an error if there is no such edge, or if the module refuses.
pub fn stamp(module: &dyn Module, edge: &str) -> Result<(), Problem> {
    module.stamp(edge_of(edge)?)
}

fn edge_of(text: &str) -> Result<Edge, Problem> {
    let named = Edge::ALL.into_iter().find(|edge| edge.name() == text);
    let numbered = || Edge::from_number(text.parse().ok()?);
    named.or_else(numbered).ok_or_else(|| {
        let names = Edge::ALL.map(Edge::name).join(", ");
        Problem::Usage(format!("there is no edge {text}; the edges are {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_is_told_from_its_detection_on() {
        let control = Box::<Control>::default();
        control.epoch.reset(2);
        assert_eq!(Takeover::last(&control), None);
        let timeline = control.timelines.of_epoch(2);
        timeline.begin(2, Cause::Silent, None);
        timeline.count(Counter::CoresLeft, 3);
        timeline.stamp(Edge::LastKeepalive, 1_000_000);
        timeline.stamp(Edge::DevicesAdopted, 44_000_000);
        timeline.stamp(Edge::Detected, 21_000_000);
        timeline.stamp(Edge::Resumed, 24_500_000);
        let takeover = Takeover::last(&control).unwrap();
        let names: Vec<&str> = takeover
            .edges_us
            .iter()
            .map(|(edge, _)| edge.name())
            .collect();
        assert_eq!(
            names,
            ["last-keepalive", "detected", "resumed", "devices-adopted"]
        );
        let json = takeover.json();
        assert_eq!(
            (&json["cause"], &json["cores_left"]),
            (&json!("silent"), &json!(3))
        );
        assert_eq!(json["edges"]["last_keepalive_us"], -20_000);
        assert_eq!(json["edges"]["resumed_us"], 3500);
        assert_eq!(takeover.lines().nth(2).unwrap(), "     3.500 ms  resumed");
    }

    #[test]
    fn edges_have_names_and_numbers() {
        assert_eq!(edge_of("disk-readable").unwrap(), Edge::DiskReadable);
        assert_eq!(edge_of("8").unwrap(), Edge::FirstReply);
        let problem = edge_of("lunch").unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.to_string().contains("first-reply"), "{problem}");
    }
}
