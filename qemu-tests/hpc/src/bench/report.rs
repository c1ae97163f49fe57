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
        let verdict = if self.is_passed() { "passed" } else { "failed" };
        let mut object = json!({ "verdict": verdict, "accel": Accel::Model.to_string() });
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
            figures: vec![
                Figure::new("ratio", "a ratio", 1.0).at_most(1.0),
                Figure::new("count", "a count", 200.0).at_least(200.0),
                Figure::not_measured("other", "another", "nothing does it"),
            ],
            extent: Extent::WHOLE,
        };
        assert!(report.is_passed());
        let expected = json!({
            "verdict": "passed", "accel": "model", "ratio": 1.0, "count": 200.0, "other": null
        });
        assert_eq!(report.json(), expected);
        assert!(
            report.text().contains("nothing does it")
                && report.text().contains("not hardware latency")
        );
        report.figures[1] = Figure::new("count", "a count", 199.0).at_least(200.0);
        assert!(!report.is_passed() && report.text().contains("at least 200: NOT MET"));
        assert_eq!(report.json()["verdict"], "failed");
    }
}
