//! Reports several runs of the peer together.

use serde_json::{Value, json};

use super::peer::{HangRun, KdumpRun, Peer};
use harness::problem::Problem;
use linux_kit::packages::KernelSource;

/// What was measured of the peer.
#[derive(Clone, Debug, Default)]
pub struct KdumpReport {
    runs: Vec<KdumpRun>,
    hang: Option<HangRun>,
}

impl KdumpReport {
    /// Lets a kernel panic `runs` times, and hang once if `with_hang`.
    ///
    /// # Errors
    /// `Skipped` where the packages cannot be had; anything that is not as it should be.
    pub fn measure(kernel: &KernelSource, runs: u32, with_hang: bool) -> Result<Self, Problem> {
        let peer = Peer::new(kernel)?;
        let mut report = Self::default();
        for number in 1..=runs {
            let run = peer.panic()?;
            println!("linux-kdump: run {number} of {runs}: {}", line(&run));
            report.runs.push(run);
        }
        if with_hang {
            report.hang = Some(peer.hang()?);
        }
        Ok(report)
    }

    /// Returns the median of the gaps, in ms. Of an even number of runs it takes the lower of the two in the middle, in
    /// the peer's favour.
    pub fn median_gap_ms(&self) -> Option<f64> {
        let mut gaps: Vec<f64> = self.runs.iter().map(|run| run.client_gap_ms).collect();
        gaps.sort_by(f64::total_cmp);
        gaps.get(gaps.len().saturating_sub(1) / 2).copied()
    }

    /// Formats the report for people.
    pub fn text(&self) -> String {
        let gap = match self.median_gap_ms() {
            Some(gap_ms) => format!(
                "median client gap {gap_ms:.0} ms over {} panics",
                self.runs.len()
            ),
            None => "no panic was measured".into(),
        };
        let hang = match self
            .hang
            .map(|hang| (hang.is_survived, hang.has_nmi_watchdog))
        {
            None => "",
            Some((true, _)) => "; a hang of all CPUs was survived",
            Some((false, true)) => "; a hang of all CPUs was not survived",
            Some((false, false)) => {
                "; a hang of all CPUs was not survived (this machine has no counters for an NMI watchdog)"
            }
        };
        format!("kdump: {gap}{hang} (emulation on this host, not hardware)")
    }

    /// Formats the report for tools.
    pub fn json(&self) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(KdumpRun::json).collect();
        json!({
            "kdump_gap_ms": self.median_gap_ms(),
            "hang_survived": self.hang.map(|hang| hang.is_survived),
            "nmi_watchdog": self.hang.map(|hang| hang.has_nmi_watchdog),
            "runs": runs,
        })
    }
}

fn line(run: &KdumpRun) -> String {
    format!(
        "a client saw a gap of {:.0} ms, {:.0} of them from the crash kernel's entry to its first program; {} \
         lines acknowledged, {} lost",
        run.client_gap_ms, run.crash_boot_ms, run.acknowledged, run.lost
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(gaps_ms: &[f64]) -> KdumpReport {
        let run = |gap_ms: &f64| KdumpRun {
            release: "6.12.0".into(),
            client_gap_ms: *gap_ms,
            crash_boot_ms: 1234.0,
            acknowledged: 10,
            lost: 0,
        };
        KdumpReport {
            runs: gaps_ms.iter().map(run).collect(),
            hang: Some(HangRun {
                is_survived: false,
                has_nmi_watchdog: false,
            }),
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(report(&[]).median_gap_ms(), None);
        assert_eq!(report(&[5e3, 4e3, 9e3]).median_gap_ms(), Some(5e3));
        assert_eq!(report(&[5e3, 4e3, 9e3, 7e3]).median_gap_ms(), Some(5e3));
    }

    #[test]
    fn it_is_told_to_people_and_programs() {
        let report = report(&[4200.4]);
        let text = report.text();
        assert!(
            text.contains("median client gap 4200 ms over 1 panics")
                && text.contains("not survived (this machine has no counters"),
            "{text}"
        );
        let value = report.json();
        assert_eq!(value["kdump_gap_ms"].as_f64(), Some(4200.4));
        assert_eq!(value["hang_survived"].as_bool(), Some(false));
        assert_eq!(value["runs"][0]["kernel"].as_str(), Some("6.12.0"));
        assert_eq!(value["runs"][0]["files_lost"].as_u64(), Some(0));
        assert_eq!(value["nmi_watchdog"].as_bool(), Some(false));
        assert!(KdumpReport::default().json()["kdump_gap_ms"].is_null());
    }
}
