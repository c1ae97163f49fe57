//! The figures of `bench hpc` and their targets.

use std::fmt::Write;

use harness::machine::Accel;
use serde_json::{Value, json};

use super::Extent;

/// A figure, what it must be, and what was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    key: &'static str,
    text: &'static str,
    /// Nothing if it was not measured.
    value: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
    /// On what it was measured, or why it was not.
    seen: String,
}

impl Figure {
    /// Makes a figure without a target.
    pub fn new(key: &'static str, text: &'static str, value: f64) -> Self {
        Self {
            key,
            text,
            value: Some(value),
            at_most: None,
            at_least: None,
            seen: String::new(),
        }
    }

    /// Makes a figure that cannot be measured here, and says why.
    pub fn not_measured(key: &'static str, text: &'static str, why: &str) -> Self {
        Self {
            value: None,
            seen: why.into(),
            ..Self::new(key, text, 0.0)
        }
    }

    /// Gives it a target.
    #[must_use]
    pub fn at_most(self, target: f64) -> Self {
        Self {
            at_most: Some(target),
            ..self
        }
    }

    /// Gives it a target.
    #[must_use]
    pub fn at_least(self, target: f64) -> Self {
        Self {
            at_least: Some(target),
            ..self
        }
    }

    /// Says on what it was measured.
    #[must_use]
    pub fn seen(self, seen: String) -> Self {
        Self { seen, ..self }
    }

    /// Says whether it meets its target. One that was not measured misses none.
    fn is_met(&self) -> bool {
        self.value.is_none_or(|value| {
            self.at_most.is_none_or(|most| value <= most)
                && self.at_least.is_none_or(|least| value >= least)
        })
    }

    fn target(&self) -> String {
        let word = if self.is_met() { "met" } else { "NOT MET" };
        match (self.value, self.at_most, self.at_least) {
            (None, ..) => "not measured".into(),
            (_, Some(most), _) => format!("at most {most}: {word}"),
            (_, _, Some(least)) => format!("at least {least}: {word}"),
            (_, None, None) => "no target".into(),
        }
    }
}

/// The keys of all figures.
const KEYS: [&str; 10] = [
    "compute_interrupts",
    "fwq_max_over_min",
    "takeover_step_ratio",
    "steps_lost",
    "own_death_instants",
    "own_death_identical",
    "own_death_ms",
    "resume_1g_over_1m",
    "commit_cost_percent",
    "cg_gflops_ratio_to_linux",
];

/// All figures.
#[derive(Clone, Debug)]
pub struct HpcReport {
    pub(super) figures: Vec<Figure>,
    pub(super) extent: Extent,
}

impl HpcReport {
    /// Says whether all figures meet their targets.
    pub fn is_passed(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }

    /// Formats the report for people.
    pub fn text(&self) -> String {
        let mut text = format!("{}; {:?}\n", Accel::Model.label(), self.extent);
        for figure in &self.figures {
            let value = figure.value.map_or("-".into(), |it| format!("{it:.6}"));
            let (name, target) = (figure.text, figure.target());
            let _ = writeln!(text, "{name:<66}{value:>14}   {target}");
            let _ = writeln!(text, "    {}", figure.seen);
        }
        text
    }

    /// Formats the report for tools. What was not measured is null.
    pub fn json(&self) -> Value {
        let is_complete = KEYS
            .iter()
            .all(|key| self.figures.iter().any(|it| it.key == *key));
        let verdict = match self.is_passed() {
            true if is_complete => "passed",
            true => "incomplete",
            false => "failed",
        };
        let mut object = json!({ "verdict": verdict, "accel": Accel::Model.to_string() });
        for key in KEYS {
            object[key] = Value::Null;
        }
        for figure in &self.figures {
            object[figure.key] = json!(figure.value);
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_missed_or_not_measured() {
        let mut report = HpcReport {
            figures: KEYS
                .map(|key| Figure::new(key, "a figure", 1.0).at_most(1.0))
                .into(),
            extent: Extent::WHOLE,
        };
        report.figures[9] = Figure::not_measured(KEYS[9], "another", "nothing does it");
        let json = report.json();
        assert_eq!(json["verdict"], "passed");
        assert_eq!(
            (&json[KEYS[0]], &json[KEYS[9]]),
            (&json!(1.0), &Value::Null)
        );
        let text = report.text();
        assert!(text.contains("nothing does it") && text.contains("not hardware latency"));
        report.figures[1] = Figure::new(KEYS[1], "a count", 199.0).at_least(200.0);
        assert!(!report.is_passed() && report.text().contains("at least 200: NOT MET"));
        assert_eq!(report.json()["verdict"], "failed");
        report.figures.truncate(1);
        assert_eq!(report.json()["verdict"], "incomplete");
        assert_eq!(report.json()[KEYS[5]], Value::Null);
    }
}
