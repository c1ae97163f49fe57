//! The demonstration: a distribution's kernel dies, another one goes on with its disk, its address and its files.

use std::time::Duration;

use serde_json::{Value, json};

use super::packages::Series;
use super::takeover::{Death, Survived, survive};
use super::tenants::Pair;
use crate::images::Images;
use crate::paths;
use crate::problem::Problem;

/// Two kernels boot one after the other, 4 to 10 s each on a quiet host.
const LIMIT: Duration = Duration::from_secs(180);

/// What is demonstrated.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The pair and its machine.
    pub pair: Pair,
    /// How the primary dies, one machine each.
    pub deaths: Vec<Death>,
    /// Runs of each.
    pub runs: u32,
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    releases: [String; 2],
    survived: Vec<Survived>,
}

impl Demo {
    /// The two deaths, once each.
    pub fn new(primary: Series, backup: Series) -> Self {
        Self {
            pair: Pair::new("linux-demo", primary, backup),
            deaths: [Death::Panic, Death::Hang].into(),
            runs: 1,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; the first thing that is not as it should be.
    pub fn run(&self, images: &Images) -> Result<Outcome, Problem> {
        let releases = self.pair.kernels()?.map(|kernel| kernel.release);
        let mut survived = Vec::new();
        for run in 1..=self.runs {
            for death in &self.deaths {
                println!(
                    "linux-demo: run {run} of {}: Linux {} beside Linux {}; {death}",
                    self.runs, releases[0], releases[1]
                );
                let log = paths::fresh_log(&format!("{}-{death}-{run}", self.pair.name))?;
                let machine = self.pair.start(images, &log, LIMIT)?;
                let names = [releases[0].as_str(), releases[1].as_str()];
                let outcome = survive(&machine, *death, names).map_err(|problem| {
                    problem.while_doing(&format!("{death} (log: {})", log.display()))
                })?;
                machine.end();
                print(&outcome);
                survived.push(outcome);
            }
        }
        Ok(Outcome { releases, survived })
    }
}

fn print(outcome: &Survived) {
    println!(
        "  a client saw a gap of {:.0} ms; {} lines acknowledged, {} lost",
        outcome.client_gap_ms, outcome.acknowledged, outcome.lost
    );
    let Some(edges) = outcome.status["takeover"]["edges"].as_object() else {
        return;
    };
    let mut edges: Vec<_> = edges
        .iter()
        .filter_map(|(name, us)| Some((us.as_i64()?, name.trim_end_matches("_us"))))
        .collect();
    edges.sort_unstable();
    for (us, name) in edges {
        println!("  {:>10.1} ms  {}", us as f64 / 1e3, name.replace('_', " "));
    }
}

impl Outcome {
    /// Whether nothing acknowledged was lost.
    pub fn is_passed(&self) -> bool {
        !self.survived.is_empty() && self.survived.iter().all(|outcome| outcome.lost == 0)
    }

    /// The median of the gaps, in ms.
    pub fn median_gap_ms(&self) -> f64 {
        let mut gaps: Vec<f64> = self.survived.iter().map(|o| o.client_gap_ms).collect();
        gaps.sort_by(f64::total_cmp);
        gaps.get(gaps.len() / 2).copied().unwrap_or_default()
    }

    /// The last line.
    pub fn json(&self) -> Value {
        let sum = |count: fn(&Survived) -> u64| self.survived.iter().map(count).sum::<u64>();
        let takeovers: Vec<Value> = self.survived.iter().map(Survived::json).collect();
        json!({
            "verdict": if self.is_passed() { "PASS" } else { "FAIL" },
            "kernel_primary": self.releases[0],
            "kernel_backup": self.releases[1],
            "files_acked": sum(|o| o.acknowledged),
            "files_lost": sum(|o| o.lost),
            "kdump_gap_ms": null,
            "takeovers": takeovers,
        })
    }
}
