//! What is kept of one run: a line of JSON.

use harness::problem::Problem;
use serde_json::{Value, json};

use super::{Class, Outcome};
use crate::observed::Observed;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The class of its fault.
    pub class: String,
    /// Its seed.
    pub seed: u64,
    /// What was hit.
    pub hit: String,
    /// What it came to, or why it could not be tried.
    pub outcome: Result<Outcome, String>,
    /// When the first death was detected that nobody forced, since the strike, in ms.
    pub detected_ms: Option<u64>,
    /// The longest time for which a client waited for a reply, in ms.
    pub silence_ms: u64,
    /// What was observed, in words.
    pub observed: String,
}

impl Record {
    /// Makes the record of a run.
    pub fn of(class: &Class, seed: u64, hit: String, observed: &Result<Observed, Problem>) -> Self {
        let seen = observed.as_ref().ok();
        Self {
            class: class.name.to_owned(),
            seed,
            hit,
            outcome: match observed {
                Ok(observed) => Ok(Outcome::of(class.target, observed)),
                Err(problem) => Err(problem.text().to_owned()),
            },
            detected_ms: seen
                .and_then(|it| it.detected_after)
                .map(|after| after.as_millis() as u64),
            silence_ms: seen.map_or(0, |it| it.longest_silence.as_millis() as u64),
            observed: seen.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Returns the record as a JSON object.
    pub fn json(&self) -> Value {
        json!({
            "class": self.class,
            "seed": self.seed,
            "hit": self.hit,
            "outcome": self.outcome.as_ref().ok().map(|outcome| outcome.name()),
            "not_tried": self.outcome.as_ref().err(),
            "detected_ms": self.detected_ms,
            "silence_ms": self.silence_ms,
            "observed": self.observed,
        })
    }

    /// Reads a record. Returns `None` if this is none.
    pub fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            class: text("class")?,
            seed: value["seed"].as_u64()?,
            hit: text("hit")?,
            outcome: match text("not_tried") {
                Some(reason) => Err(reason),
                None => Ok(Outcome::named(&text("outcome")?)?),
            },
            detected_ms: value["detected_ms"].as_u64(),
            silence_ms: value["silence_ms"].as_u64()?,
            observed: text("observed")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record {
            class: "text".into(),
            seed: 7,
            hit: "main+0x1: bit 3".into(),
            outcome: Ok(Outcome::TakenOver),
            detected_ms: Some(3),
            silence_ms: 40,
            observed: "1 takeover".into(),
        };
        assert_eq!(
            Record::parse(&record.json().to_string()),
            Some(record.clone())
        );
        let not_tried = Record {
            outcome: Err("QEMU does not answer".into()),
            ..record
        };
        assert_eq!(
            Record::parse(&not_tried.json().to_string()),
            Some(not_tried)
        );
        assert_eq!(Record::parse("{}"), None);
        assert_eq!(Record::parse("{\"class\""), None);
    }
}
