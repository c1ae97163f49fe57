//! The demonstration: a distribution's kernel dies, another one goes on with its disk, its address and its files.

use std::time::Duration;

use serde_json::{Value, json};

use super::kdump;
use super::statistics::median;
use crate::takeover::{Death, Survived, play};
use crate::tenants::Pair;
use harness::emulator;
use harness::images::Images;
use harness::linux::ledger::FileAudit;
use harness::paths;
use harness::problem::Problem;
use linux_kit::packages::KernelSource;

/// Two kernels boot one after the other, 4 to 10 s each on a quiet host.
const LIMIT: Duration = Duration::from_secs(180);

/// What is demonstrated.
#[derive(Clone, Debug)]
pub struct LinuxDemo {
    /// The pair and its machine.
    pub pair: Pair,
    /// How the primary dies, one machine each.
    pub deaths: Vec<Death>,
    /// Runs of each.
    pub runs: u32,
    /// Whether kdump, the peer, is measured in the same run.
    pub with_kdump: bool,
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    releases: [String; 2],
    survived: Vec<Survived>,
    /// What was not survived, or not as it should have been.
    failures: Vec<Problem>,
    /// The gap that a client of the same kernel sees with kdump, in ms, where it was measured.
    kdump_gap_ms: Option<f64>,
}

impl LinuxDemo {
    /// Plans a panic and a hard hang, once each.
    pub fn new(primary: KernelSource, backup: KernelSource) -> Self {
        Self {
            pair: Pair::new("linux-demo", primary, backup),
            deaths: [Death::Panic, Death::Hang].into(),
            runs: 1,
            with_kdump: false,
        }
    }

    /// Runs the demonstration, and prints its progress.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had, or the host is at fault. What the machine does wrong is part of the
    /// verdict.
    pub fn run(&self, images: &Images) -> Result<Outcome, Problem> {
        let releases = self.pair.kernels()?.map(|kernel| kernel.release);
        let (mut survived, mut failures) = (Vec::new(), Vec::new());
        for run in 1..=self.runs {
            for death in &self.deaths {
                println!(
                    "linux-demo: run {run} of {}: Linux {} beside Linux {}; {death}",
                    self.runs, releases[0], releases[1]
                );
                match self.act(images, *death, run) {
                    Ok(outcome) => {
                        print!("{}", line(&outcome));
                        survived.push(outcome);
                    }
                    Err(problem @ (Problem::Failed(_) | Problem::TimedOut(_))) => {
                        println!("  {problem}");
                        failures.push(problem);
                    }
                    Err(problem) => return Err(problem),
                }
            }
        }
        Ok(Outcome {
            releases,
            survived,
            failures,
            kdump_gap_ms: self.kdump_gap_ms()?,
        })
    }

    fn kdump_gap_ms(&self) -> Result<Option<f64>, Problem> {
        if !self.with_kdump {
            return Ok(None);
        }
        println!("linux-demo: kdump on the same machine, {} times", self.runs);
        let report = kdump::KdumpReport::measure(&self.pair.primary, self.runs, false)?;
        println!("  {}", report.text());
        let tenths = |ms: f64| (ms * 10.0).round() / 10.0;
        Ok(report.median_gap_ms().map(tenths))
    }

    fn act(&self, images: &Images, death: Death, run: u32) -> Result<Survived, Problem> {
        let log = paths::fresh_log(&format!("{}-{death}-{run}", self.pair.name))?;
        let attempt = || play(&self.pair, images, &log, LIMIT, death);
        match emulator::once_more(&self.pair.name, &log, attempt) {
            Ok((_machine, survived)) => Ok(survived),
            Err(problem) => {
                Err(problem.while_doing(&format!("{death} (console: {})", log.display())))
            }
        }
    }
}

/// Formats one takeover for people.
fn line(outcome: &Survived) -> String {
    let mut text = format!(
        "  silence for the client: {:.1} ms, and up to {:.1} ms later\n  {}\n  timeline, ms since the detection:\n",
        outcome.client_gap_ms(),
        outcome.settling_gap_ms(),
        outcome.audit
    );
    for (name, us) in outcome.edges_us() {
        text += &format!("  {:>10.1}  {}\n", us as f64 / 1e3, name.replace('_', " "));
    }
    text
}

impl Outcome {
    /// Says whether nothing acknowledged was lost.
    pub fn is_passed(&self) -> bool {
        !self.survived.is_empty() && self.failures.is_empty() && self.audit().is_clean()
    }

    fn audit(&self) -> FileAudit {
        let audits = self.survived.iter().map(|outcome| outcome.audit.clone());
        audits.fold(FileAudit::default(), FileAudit::and)
    }

    /// Formats the verdict.
    pub fn verdict(&self) -> String {
        let gaps: Vec<f64> = self.survived.iter().map(Survived::client_gap_ms).collect();
        let worst = gaps.iter().copied().reduce(f64::max);
        let disk_ms = self
            .survived
            .iter()
            .filter_map(|outcome| outcome.edge_us("disk_readable").map(|us| us as f64 / 1e3));
        let ms =
            |value: Option<f64>| value.map_or("not measured".into(), |ms| format!("{ms:.1} ms"));
        let mut text = format!(
            "{}: {} of {} takeovers, {}; silence for the client: median {}, worst {}; \
             from detection to a readable disk: median {} (emulation on this host, not hardware)",
            if self.is_passed() { "PASS" } else { "FAIL" },
            self.survived.len(),
            self.survived.len() + self.failures.len(),
            self.audit(),
            ms(median(gaps.clone())),
            ms(worst),
            ms(median(disk_ms.collect())),
        );
        if let (Some(kdump_ms), Some(own_ms)) = (self.kdump_gap_ms, median(gaps)) {
            text += &format!(
                "; kdump: {kdump_ms:.0} ms, {:.1} times as long",
                kdump_ms / own_ms
            );
        }
        text
    }

    /// Formats the outcome for tools.
    pub fn json(&self) -> Value {
        let audit = self.audit();
        json!({
            "verdict": if self.is_passed() { "pass" } else { "fail" },
            "kernel_primary": self.releases[0],
            "kernel_backup": self.releases[1],
            "files_acked": audit.files_acked,
            "files_lost": audit.files_lost,
            "ram_bytes_acked": audit.ram_bytes_acked,
            "ram_bytes_lost": audit.ram_bytes_lost,
            "failures": self.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "kdump_gap_ms": self.kdump_gap_ms,
            "takeovers": self.survived.iter().map(Survived::json).collect::<Vec<_>>(),
        })
    }
}

/// Formats the JSON of a demonstration that failed half-way.
pub fn failure_json(problem: &Problem) -> Value {
    json!({
        "verdict": "fail",
        "reason": problem.to_string(),
        "kernel_primary": null,
        "kernel_backup": null,
        "files_acked": null,
        "files_lost": null,
        "kdump_gap_ms": null,
        "takeovers": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::takeover::tests::survived;

    fn outcome() -> Outcome {
        let mut slower = survived();
        slower.handover.gap = Duration::from_millis(200);
        Outcome {
            releases: ["6.12.1".into(), "6.1.0".into()],
            survived: vec![survived(), slower],
            failures: Vec::new(),
            kdump_gap_ms: None,
        }
    }

    #[test]
    fn the_json_has_what_is_promised() {
        let object = outcome().json();
        assert_eq!(object["verdict"], "pass");
        assert_eq!(
            (&object["kernel_primary"], &object["kernel_backup"]),
            (&json!("6.12.1"), &json!("6.1.0"))
        );
        assert_eq!(
            (&object["files_acked"], &object["files_lost"]),
            (&json!(24), &json!(0))
        );
        assert_eq!(object["kdump_gap_ms"], Value::Null);
        let takeovers = object["takeovers"].as_array().unwrap();
        assert_eq!(takeovers.len(), 2);
        assert_eq!(takeovers[1]["client_gap_ms"], json!(200.0));
        let failure = failure_json(&Problem::Failed("x".into()));
        let keys = |object: &Value| {
            object
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        for key in keys(&failure) {
            assert!(key == "reason" || keys(&object).contains(&key), "{key}");
        }
    }

    #[test]
    fn a_broken_promise_fails() {
        assert!(outcome().is_passed());
        let mut lost = outcome();
        lost.survived[1].audit.files_lost = 1;
        let mut damaged = outcome();
        damaged.survived[0].audit.ram_bytes_lost = 1;
        let mut invented = outcome();
        invented.survived[0].audit.files_invented = 1;
        let mut nothing = outcome();
        nothing.survived.clear();
        let mut died = outcome();
        died.failures.push(Problem::Failed("nobody serves".into()));
        assert!(died.verdict().contains("2 of 3 takeovers"));
        for bad in [lost, damaged, invented, nothing, died] {
            assert!(!bad.is_passed() && bad.json()["verdict"] == "fail");
            assert!(bad.verdict().starts_with("FAIL"));
        }
    }

    #[test]
    fn the_verdict_has_the_figures() {
        let mut outcome = outcome();
        let text = outcome.verdict();
        assert!(
            text.starts_with("PASS: 2 of 2 takeovers, 24 files"),
            "{text}"
        );
        assert!(
            text.contains("client: median 165.7 ms, worst 200.0 ms"),
            "{text}"
        );
        assert!(text.contains("readable disk: median 41.0 ms") && !text.contains("kdump"));
        outcome.kdump_gap_ms = Some(4142.5);
        assert!(
            outcome
                .verdict()
                .ends_with("kdump: 4142 ms, 25.0 times as long"),
            "{}",
            outcome.verdict()
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn a_takeover_is_told_in_the_order_of_its_edges() {
        let text = line(&survived());
        let place = |part: &str| {
            text.find(part)
                .unwrap_or_else(|| panic!("{part} in {text}"))
        };
        assert!(place("131.3 ms") < place("-0.9  last keepalive"));
        assert!(place("1.1  fenced") < place("41.0  disk readable"));
    }
}
