//! What a campaign came to: a table for people, and JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::{Outcome, Record, Target, all, wilson_low};

/// Runs that are shown one by one.
const WORST: usize = 20;
/// The share of faults that kill or hang a primary after which it goes on with nothing lost, in percent.
const RECOVERED_MIN_PERCENT: f64 = 99.5;

/// All runs of a campaign.
pub struct Report<'a> {
    records: &'a [Record],
}

/// Counts of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    runs: u64,
    not_tried: u64,
    outcomes: BTreeMap<Outcome, u64>,
}

impl<'a> Report<'a> {
    /// Reports on `records`.
    pub fn of(records: &'a [Record]) -> Self {
        Self { records }
    }

    fn rows(&self) -> BTreeMap<&str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for record in self.records {
            let row = rows.entry(&record.class).or_default();
            row.runs += 1;
            match &record.outcome {
                Ok(outcome) => *row.outcomes.entry(*outcome).or_default() += 1,
                Err(_) => row.not_tried += 1,
            }
        }
        rows
    }

    fn outcomes(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.records
            .iter()
            .filter_map(|record| record.outcome.clone().ok())
    }

    fn count(&self, wanted: Outcome) -> u64 {
        self.outcomes().filter(|outcome| *outcome == wanted).count() as u64
    }

    /// Counts the runs whose fault was noticed by anybody.
    fn manifested(&self) -> u64 {
        self.outcomes()
            .filter(|outcome| *outcome != Outcome::NoEffect)
            .count() as u64
    }

    /// Counts the faults in a primary or in shared memory that ended the primary, and those of them that were survived.
    fn killed_and_recovered(&self) -> (u64, u64) {
        let classes = all();
        let strikes_primary = |record: &&Record| {
            let class = classes.iter().find(|class| class.name == record.class);
            class.is_none_or(|class| matches!(class.target, Target::Primary | Target::Shared))
        };
        let ended = self.records.iter().filter(strikes_primary);
        let ended: Vec<Outcome> = ended
            .filter_map(|record| record.outcome.clone().ok())
            .filter(|outcome| {
                !matches!(
                    outcome,
                    Outcome::NoEffect | Outcome::Alarm | Outcome::BackupLost
                )
            })
            .collect();
        let recovered = ended.iter().filter(|outcome| outcome.is_survived());
        (ended.len() as u64, recovered.count() as u64)
    }

    /// Counts the faults that ended a primary.
    pub fn ends(&self) -> u64 {
        self.killed_and_recovered().0
    }

    fn recovered_percent(&self) -> f64 {
        match self.killed_and_recovered() {
            (0, _) => 100.0,
            (killed, recovered) => recovered as f64 * 100.0 / killed as f64,
        }
    }

    /// Says whether nothing happened that must not.
    pub fn is_passed(&self) -> bool {
        let forbidden = [Outcome::TwoOwners, Outcome::SilentCorruption, Outcome::Hung];
        let is_whole = forbidden.iter().all(|outcome| self.count(*outcome) == 0);
        let was_tried = self.outcomes().next().is_some();
        was_tried && is_whole && self.recovered_percent() >= RECOVERED_MIN_PERCENT
    }

    /// Returns the report as one JSON object.
    pub fn json(&self) -> Value {
        let rows = self.rows();
        let classes: Vec<Value> = rows
            .iter()
            .map(|(class, row)| {
                let outcomes = row.outcomes.iter();
                let outcomes: BTreeMap<&str, u64> =
                    outcomes.map(|(outcome, count)| (outcome.name(), *count)).collect();
                json!({ "class": class, "runs": row.runs, "not_tried": row.not_tried, "outcomes": outcomes })
            })
            .collect();
        let (killed, recovered) = self.killed_and_recovered();
        json!({
            "verdict": if self.is_passed() { "pass" } else { "fail" },
            "runs": self.records.len(),
            "manifested": self.manifested(),
            "classes": classes,
            "two_owners": self.count(Outcome::TwoOwners),
            "silent_corruption": self.count(Outcome::SilentCorruption),
            "hung_without_takeover": self.count(Outcome::Hung),
            "recovered_percent": self.recovered_percent(),
            "wilson_low_percent": wilson_low(recovered, killed) * 100.0,
        })
    }

    fn worst(&self) -> Vec<&Record> {
        let mut worst: Vec<&Record> = self
            .records
            .iter()
            .filter(|record| {
                record
                    .outcome
                    .as_ref()
                    .is_ok_and(|outcome| *outcome > Outcome::TakenOver)
            })
            .collect();
        worst.sort_by_key(|record| std::cmp::Reverse(record.outcome.clone().ok()));
        worst.truncate(WORST);
        worst
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen: Vec<Outcome> = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0)
            .collect();
        write!(f, "| class | runs | not tried |")?;
        seen.iter()
            .try_for_each(|outcome| write!(f, " {} |", outcome.name()))?;
        write!(f, "\n|---|---|---|{}\n", "---|".repeat(seen.len()))?;
        for (class, row) in self.rows() {
            write!(f, "| {class} | {} | {} |", row.runs, row.not_tried)?;
            for outcome in &seen {
                write!(f, " {} |", row.outcomes.get(outcome).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        for record in self.worst() {
            let outcome = record.outcome.as_ref().map_or("", |outcome| outcome.name());
            writeln!(
                f,
                "{outcome}: cargo xtask campaign --class {} --replay {} ({}; {})",
                record.class, record.seed, record.hit, record.observed
            )?;
        }
        let (killed, recovered) = self.killed_and_recovered();
        write!(
            f,
            "{} runs, {} with an effect; of {killed} ends of a primary {recovered} with nothing lost: {:.2} % (95 %: \
             at least {:.2} %)",
            self.records.len(),
            self.manifested(),
            self.recovered_percent(),
            wilson_low(recovered, killed) * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(class: &str, outcome: Result<Outcome, String>) -> Record {
        Record {
            class: class.into(),
            seed: 5,
            hit: "x".into(),
            outcome,
            detected_ms: None,
            silence_ms: 0,
            observed: String::new(),
        }
    }

    #[test]
    fn what_must_not_happen_fails_the_campaign() {
        let good = [
            record("text", Ok(Outcome::TakenOver)),
            record("text", Ok(Outcome::NoEffect)),
            record("backup", Ok(Outcome::BackupLost)),
            record("stack", Err("no".into())),
        ];
        let report = Report::of(&good);
        assert!(report.is_passed());
        let json = report.json();
        assert_eq!((&json["runs"], &json["manifested"]), (&json!(4), &json!(2)));
        assert_eq!(json["classes"][2]["outcomes"]["taken-over"], 1);
        assert_eq!(json["recovered_percent"], 100.0);
        for outcome in [
            Outcome::TwoOwners,
            Outcome::SilentCorruption,
            Outcome::Hung,
            Outcome::Lost,
        ] {
            let bad = [
                record("text", Ok(Outcome::TakenOver)),
                record("text", Ok(outcome)),
            ];
            let report = Report::of(&bad);
            assert!(!report.is_passed(), "{outcome:?}");
            assert!(report.to_string().contains("--class text --replay 5"));
        }
        assert!(!Report::of(&[]).is_passed());
        assert!(!Report::of(&[record("text", Err("no".into()))]).is_passed());
    }

    #[test]
    fn a_fault_of_the_backup_is_no_end_of_a_primary() {
        let records = [
            record("backup", Ok(Outcome::Dead)),
            record("text", Ok(Outcome::TakenOver)),
        ];
        assert_eq!(Report::of(&records).killed_and_recovered(), (1, 1));
    }
}
