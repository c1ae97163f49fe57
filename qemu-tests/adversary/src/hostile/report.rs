//! What a campaign of attacks found: for people, and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{Attack, Observed};
use harness::problem::Problem;

/// What one attack came to.
pub struct AttackReport {
    /// The attack's name.
    pub name: &'static str,
    /// Takeovers that it was meant to lead to.
    pub wanted_takeovers: u64,
    /// What was observed, or why the machine could not be looked at.
    pub observed: Result<Observed, Problem>,
}

impl AttackReport {
    /// Reports on `attack`.
    pub fn of(attack: &Attack, observed: Result<Observed, Problem>) -> Self {
        Self {
            name: attack.name,
            wanted_takeovers: attack.takeovers,
            observed,
        }
    }

    /// Says whether the machine is none the worse for it. What could not be tried here is not wrong.
    pub fn is_held(&self) -> bool {
        match &self.observed {
            Ok(it) => {
                it.has_served
                    && it.is_protected
                    && it.is_memory_back
                    && it.takeovers == self.wanted_takeovers
                    && it.harm.is_none()
            }
            Err(problem) => matches!(problem, Problem::Skipped(_)),
        }
    }

    fn json(&self) -> Value {
        let observed = self.observed.as_ref().ok();
        json!({
            "name": self.name,
            "held": self.is_held(),
            "served_after": observed.is_some_and(|it| it.has_served),
            "protected_after": observed.is_some_and(|it| it.is_protected),
            "memory_back": observed.is_some_and(|it| it.is_memory_back),
            "takeovers": observed.map_or(0, |it| it.takeovers.abs_diff(self.wanted_takeovers)),
            "skipped": matches!(self.observed, Err(Problem::Skipped(_))),
        })
    }
}

impl fmt::Display for AttackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (&self.observed, self.is_held()) {
            (Err(Problem::Skipped(_)), _) => "skipped",
            (_, true) => "held",
            _ => "HARMED",
        };
        write!(f, "attack {} ... {verdict}: ", self.name)?;
        match &self.observed {
            Ok(it) => {
                write!(
                    f,
                    "served: {}, protected: {}, memory {} -> {}, takeovers: {}, longest wait of another: {} ms",
                    it.has_served,
                    it.is_protected,
                    it.bytes_before,
                    it.bytes_after,
                    it.takeovers,
                    it.longest_wait.as_millis()
                )?;
                it.harm
                    .as_ref()
                    .map_or(Ok(()), |harm| write!(f, "; {harm}"))
            }
            Err(problem) => write!(f, "{problem}"),
        }
    }
}

/// What all attacks came to.
pub struct Report {
    /// One after another.
    pub attacks: Vec<AttackReport>,
}

impl Report {
    /// Says whether the machine held against all of them.
    pub fn is_passed(&self) -> bool {
        !self.attacks.is_empty() && self.attacks.iter().all(AttackReport::is_held)
    }

    /// Returns the report as one JSON object.
    pub fn json(&self) -> Value {
        let attacks: Vec<Value> = self.attacks.iter().map(AttackReport::json).collect();
        let verdict = if self.is_passed() { "pass" } else { "fail" };
        json!({ "verdict": verdict, "attacks": attacks })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harmed = self.attacks.iter().filter(|report| !report.is_held());
        let harmed: Vec<&str> = harmed.map(|report| report.name).collect();
        match harmed.as_slice() {
            [] => write!(f, "{} attacks, the machine held", self.attacks.len()),
            names => write!(
                f,
                "{} attacks, HARMED by: {}",
                self.attacks.len(),
                names.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(observed: Observed) -> AttackReport {
        AttackReport {
            name: "x",
            wanted_takeovers: 0,
            observed: Ok(observed),
        }
    }

    #[test]
    fn every_kind_of_harm_counts() {
        let well = || Observed {
            has_served: true,
            is_protected: true,
            is_memory_back: true,
            ..Observed::default()
        };
        assert!(report(well()).is_held());
        let harmed = [
            Observed {
                has_served: false,
                ..well()
            },
            Observed {
                is_protected: false,
                ..well()
            },
            Observed {
                is_memory_back: false,
                ..well()
            },
            Observed {
                takeovers: 1,
                ..well()
            },
            Observed {
                harm: Some(Problem::Failed("others".into())),
                ..well()
            },
        ];
        for observed in harmed {
            let all = Report {
                attacks: vec![report(well()), report(observed)],
            };
            assert!(!all.is_passed());
            assert_eq!(all.json()["verdict"], "fail");
        }
        assert!(
            !Report {
                attacks: Vec::new()
            }
            .is_passed()
        );
    }
}
