//! How a takeover went, by its timeline.

use serde_json::{Map, Value, json};
use sharedmem::Control;
use takeover::timeline::Counter;
use takeover::{Cause, Edge};

use crate::module::Module;
use crate::problem::Problem;

/// A takeover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The epoch it led to.
    pub epoch: u64,
    /// Why the old primary was given up, in a word.
    pub cause: &'static str,
    /// How often its cores were struck.
    pub fence_rounds: u64,
    /// Its edges and their times since the detection, in us, in the order in which they came; those before it are negative.
    pub edges_us: Vec<(&'static str, i64)>,
}

impl Takeover {
    /// The takeover that led to the current epoch; `None` if none did, or nothing is known of it any more.
    pub fn last(control: &Control) -> Option<Self> {
        let epoch = control.epoch.current();
        let timeline = control.timelines.of_epoch(epoch);
        if timeline.epoch() != epoch {
            return None;
        }
        let zero_ns = timeline.edge_ns(Edge::Detected.index())?;
        // The stamps are claims: a difference that makes no sense is still a number.
        let since_us = |ns: u64| ns.wrapping_sub(zero_ns).cast_signed() / 1000;
        let mut edges_us: Vec<(&'static str, i64)> = Edge::ALL
            .into_iter()
            .filter_map(|edge| Some((edge.name(), since_us(timeline.edge_ns(edge.index())?))))
            .collect();
        edges_us.sort_by_key(|(_, us)| *us);
        Some(Self {
            epoch,
            cause: Cause::from_code(timeline.cause(), timeline.core() as u32)
                .map_or("unknown", Cause::name),
            fence_rounds: timeline.counter(Counter::FenceRounds.index()),
            edges_us,
        })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let edges = self.edges_us.iter();
        let edges: Map<String, Value> = edges
            .map(|(name, us)| (format!("{}_us", name.replace(' ', "_")), json!(us)))
            .collect();
        json!({
            "epoch": self.epoch,
            "cause": self.cause,
            "fence_rounds": self.fence_rounds,
            "edges": edges,
        })
    }

    /// For people: a line for each edge.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let edges = self.edges_us.iter();
        edges.map(|(name, us)| format!("{:>10.3} ms  {name}", *us as f64 / 1000.0))
    }
}

/// Stamps an edge, by name or number.
///
/// # Errors
/// There is no such edge, or the module refuses.
pub fn stamp(module: &dyn Module, edge: &str) -> Result<(), Problem> {
    module.stamp(edge_of(edge)?)
}

fn edge_of(text: &str) -> Result<u32, Problem> {
    let word = |edge: Edge| edge.name().replace(' ', "-");
    let named = Edge::ALL.into_iter().find(|edge| word(*edge) == text);
    named
        .map(|edge| edge.index() as u32)
        .or_else(|| text.parse().ok())
        .ok_or_else(|| {
            Problem::Usage(format!(
                "there is no edge {text}; there are {}",
                Edge::ALL.map(word).join(", ")
            ))
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
        timeline.begin(2, Cause::Silent.code(), 0);
        timeline.stamp(Edge::LastKeepalive.index(), 1_000_000);
        timeline.stamp(Edge::DevicesAdopted.index(), 44_000_000);
        timeline.stamp(Edge::Detected.index(), 21_000_000);
        timeline.stamp(Edge::Resumed.index(), 24_500_000);
        let takeover = Takeover::last(&control).unwrap();
        let names: Vec<&str> = takeover.edges_us.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["last keepalive", "detected", "resumed", "devices adopted"]
        );
        let json = takeover.json();
        assert_eq!(json["cause"], "silent");
        assert_eq!(json["edges"]["last_keepalive_us"], -20_000);
        assert_eq!(json["edges"]["resumed_us"], 3500);
        assert_eq!(takeover.lines().nth(2).unwrap(), "     3.500 ms  resumed");
    }

    #[test]
    fn edges_have_names_and_numbers() {
        assert_eq!(edge_of("disk-readable").unwrap(), 10);
        assert_eq!(edge_of("8").unwrap(), 8);
        let problem = edge_of("lunch").unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.to_string().contains("first-reply"), "{problem}");
    }
}
