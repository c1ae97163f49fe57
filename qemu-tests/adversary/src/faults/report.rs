//! What a campaign of faults found: for people, and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{Fault, Outcome};
use crate::observed::Observed;
use harness::problem::Problem;

/// What one fault came to.
pub struct FaultReport {
    /// The fault's name.
    pub name: &'static str,
    /// The outcomes that are right.
    pub expected: &'static [Outcome],
    /// What was observed, or why it could not be tried.
    pub observed: Result<Observed, Problem>,
}

impl FaultReport {
    /// Reports on `fault`.
    pub fn of(fault: &Fault, observed: Result<Observed, Problem>) -> Self {
        Self {
            name: fault.name,
            expected: fault.expected,
            observed,
        }
    }

    /// Says whether the outcome is a right one. What could not be tried here is not wrong.
    pub fn is_right(&self) -> bool {
        match &self.observed {
            Ok(observed) => self.expected.contains(&observed.outcome()),
            Err(problem) => matches!(problem, Problem::Skipped(_)),
        }
    }

    fn outcome(&self) -> String {
        match &self.observed {
            Ok(observed) => observed.outcome().name().to_owned(),
            Err(problem) => problem.kind().to_lowercase().replace(' ', "-"),
        }
    }

    fn json(&self) -> Value {
        let observed = self.observed.as_ref().ok();
        let expected: Vec<&str> = self.expected.iter().map(|it| it.name()).collect();
        json!({
            "name": self.name,
            "expected": expected,
            "outcome": self.outcome(),
            "lost": observed.map_or(0, |it| it.lost + u64::from(it.is_probe_wrong)),
            "hung": observed.is_some_and(|it| it.is_hung),
        })
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_right() { "ok" } else { "WRONG" };
        write!(f, "fault {} ... {verdict}: {}", self.name, self.outcome())?;
        match &self.observed {
            Ok(observed) => write!(f, " ({observed})"),
            Err(problem) => write!(f, " ({})", problem.text()),
        }
    }
}

/// What all faults came to.
pub struct Report {
    /// One after another.
    pub faults: Vec<FaultReport>,
}

impl Report {
    /// Says whether every outcome is a right one.
    pub fn is_passed(&self) -> bool {
        !self.faults.is_empty() && self.faults.iter().all(FaultReport::is_right)
    }

    /// Returns the report as one JSON object.
    pub fn json(&self) -> Value {
        let faults: Vec<Value> = self.faults.iter().map(FaultReport::json).collect();
        let verdict = if self.is_passed() { "pass" } else { "fail" };
        json!({ "verdict": verdict, "faults": faults })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = self.faults.iter().filter(|report| !report.is_right());
        let wrong: Vec<&str> = wrong.map(|report| report.name).collect();
        match wrong.as_slice() {
            [] => write!(
                f,
                "{} faults, each with an outcome that is right",
                self.faults.len()
            ),
            names => write!(
                f,
                "{} faults, WRONG: {}",
                self.faults.len(),
                names.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(observed: Result<Observed, Problem>) -> FaultReport {
        FaultReport {
            name: "x",
            expected: &[Outcome::Harmless],
            observed,
        }
    }

    #[test]
    fn only_an_expected_outcome_passes() {
        let well = Observed {
            is_protected: true,
            ..Observed::default()
        };
        let good = Report {
            faults: vec![report(Ok(well)), report(Err(Problem::Skipped("no".into())))],
        };
        assert!(good.is_passed());
        assert_eq!(good.json()["faults"][1]["outcome"], "skipped");
        let bad = Report {
            faults: vec![report(Ok(Observed { lost: 2, ..well }))],
        };
        assert_eq!(bad.json()["verdict"], "fail");
        assert_eq!(bad.json()["faults"][0]["lost"], 2);
        assert!(bad.to_string().ends_with("WRONG: x"));
        let nothing = Report { faults: Vec::new() };
        assert!(!nothing.is_passed());
        assert!(!report(Err(Problem::TimedOut("late".into()))).is_right());
    }
}
