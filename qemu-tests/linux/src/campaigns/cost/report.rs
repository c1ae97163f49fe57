//! Reports several runs of the work together.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::run::{CPUS, Cost, CostRun, Round};
use crate::campaigns::statistics::median;

/// A primary beside an armed backup is to be slower by no more than this, in percent.
const AT_MOST_PERCENT: f64 = 1.0;

/// What was measured.
#[derive(Clone, Debug)]
pub struct CostReport {
    cost: Cost,
    release: String,
    rounds: Vec<Round>,
}

/// What holds for one time-out.
struct Beside {
    timeout: Duration,
    /// How much slower each run is than the run alone with the same random numbers.
    slower_percent: Vec<f64>,
    took_ms: f64,
    interrupts_hz: Vec<f64>,
    keepalives_hz: f64,
    /// Instructions more than alone, of all CPUs in a second of the model's time.
    extra_instructions_hz: f64,
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    median(values.collect()).unwrap_or(f64::NAN)
}

/// Returns the median of each CPU.
fn by_cpu<'a>(runs: impl Iterator<Item = &'a CostRun> + Clone) -> Vec<f64> {
    let cpus = runs
        .clone()
        .map(|run| run.interrupts_hz.len())
        .min()
        .unwrap_or(0);
    (0..cpus)
        .map(|cpu| middle(runs.clone().map(|run| run.interrupts_hz[cpu])))
        .collect()
}

impl Beside {
    fn slower_percent(&self) -> f64 {
        middle(self.slower_percent.iter().copied())
    }

    fn spread(&self) -> [f64; 2] {
        let values = self.slower_percent.iter().copied();
        [
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(f64::NEG_INFINITY, f64::max),
        ]
    }

    fn is_met(&self) -> bool {
        self.slower_percent() <= AT_MOST_PERCENT
    }
}

impl CostReport {
    pub(super) fn new(cost: Cost, release: String, rounds: Vec<Round>) -> Self {
        Self {
            cost,
            release,
            rounds,
        }
    }

    /// Says whether the primary is slower by no more than is allowed, at every time-out.
    pub fn is_met(&self) -> bool {
        !self.rounds.is_empty() && self.beside().iter().all(Beside::is_met)
    }

    fn ns_per_instruction(&self) -> f64 {
        f64::from(1_u32 << self.cost.shift)
    }

    fn alone(&self) -> impl Iterator<Item = &CostRun> + Clone {
        self.rounds.iter().map(|round| &round.alone)
    }

    fn beside(&self) -> Vec<Beside> {
        let timeouts = self.cost.timeouts.iter().enumerate();
        timeouts
            .map(|(index, timeout)| self.at(index, *timeout))
            .collect()
    }

    fn at(&self, index: usize, timeout: Duration) -> Beside {
        let pairs = self
            .rounds
            .iter()
            .map(|round| (&round.alone, &round.beside[index]));
        let extra = |(alone, beside): (&CostRun, &CostRun)| {
            let slower_ns = beside.took_ns - alone.took_ns;
            slower_ns / self.ns_per_instruction() / (beside.took_ns / 1e9)
        };
        let beside = pairs.clone().map(|(_, beside)| beside);
        Beside {
            timeout,
            slower_percent: pairs
                .clone()
                .map(|(alone, beside)| (beside.took_ns / alone.took_ns - 1.0) * 100.0)
                .collect(),
            took_ms: middle(beside.clone().map(|run| run.took_ns / 1e6)),
            interrupts_hz: by_cpu(beside.clone()),
            keepalives_hz: middle(beside.map(|run| run.keepalives_hz)),
            extra_instructions_hz: middle(pairs.map(extra)),
        }
    }

    fn alone_ms(&self) -> f64 {
        middle(self.alone().map(|run| run.took_ns / 1e6))
    }

    /// Formats the report for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "deterministic model (TCG icount, 1 instruction of any CPU = {} ns), not hardware; medians of {} runs\n\
             Linux {} alone: {:.1} ms; timer interrupts per second by CPU: {}\n",
            self.ns_per_instruction(),
            self.rounds.len(),
            self.release,
            self.alone_ms(),
            listed(&by_cpu(self.alone())),
        );
        for beside in self.beside() {
            let [least, most] = beside.spread();
            let _ = writeln!(
                text,
                "beside a backup, time-out {:?}: {:.1} ms, {:.2} % slower ({least:.2} to {most:.2}; \
                 target: at most {AT_MOST_PERCENT} %, {}); timer interrupts per second by CPU: {}; \
                 {:.0} keepalives and {:.2} million instructions more per second",
                beside.timeout,
                beside.took_ms,
                beside.slower_percent(),
                if beside.is_met() { "met" } else { "NOT MET" },
                listed(&beside.interrupts_hz),
                beside.keepalives_hz,
                beside.extra_instructions_hz / 1e6,
            );
        }
        text
    }

    /// Formats the report for tools.
    pub fn json(&self) -> Value {
        let beside = self.beside().into_iter().map(|beside| {
            json!({
                "timeout_ms": beside.timeout.as_millis() as u64,
                "ms": thousandths(beside.took_ms),
                "slower_percent": thousandths(beside.slower_percent()),
                "slower_percent_spread": beside.spread().map(thousandths),
                "interrupts_hz": rounded(&beside.interrupts_hz),
                "keepalives_hz": beside.keepalives_hz.round(),
                "extra_instructions_hz": beside.extra_instructions_hz.round(),
            })
        });
        json!({
            "accel": "model",
            "n": self.rounds.len(),
            "ns_per_instruction": self.ns_per_instruction(),
            "kernel": self.release,
            "cpus": CPUS,
            "alone_ms": thousandths(self.alone_ms()),
            "alone_interrupts_hz": rounded(&by_cpu(self.alone())),
            "beside": beside.collect::<Vec<_>>(),
        })
    }
}

fn listed(rates: &[f64]) -> String {
    let rates: Vec<String> = rates.iter().map(|hz| format!("{hz:.0}")).collect();
    rates.join(", ")
}

fn rounded(rates: &[f64]) -> Vec<f64> {
    rates.iter().map(|hz| hz.round()).collect()
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux_kit::packages::Series;

    fn run(took_ns: f64, keepalives_hz: f64) -> CostRun {
        CostRun {
            took_ns,
            interrupts_hz: vec![keepalives_hz + 250.0, 250.0],
            keepalives_hz,
            clock: "tsc".into(),
        }
    }

    fn report(beside_ns: [f64; 3]) -> CostReport {
        let cost = Cost {
            primary: Series::V6_12,
            backup: Series::V6_1,
            timeouts: vec![Duration::from_millis(20)],
            runs: 3,
            shift: 3,
        };
        let round = |took_ns| Round {
            alone: run(1e9, 0.0),
            beside: vec![run(took_ns, 1000.0)],
        };
        CostReport::new(cost, "6.12.1".into(), beside_ns.map(round).into())
    }

    #[test]
    fn the_median_decides() {
        let met = report([1.0099e9, 1.0e9, 1.5e9]);
        assert!(met.is_met());
        let text = met.text();
        assert!(
            text.contains("0.99 % slower (0.00 to 50.00; target: at most 1 %, met)")
                && text.contains("by CPU: 1250, 250;"),
            "{text}"
        );
        let missed = report([1.02e9, 1.02e9, 1.0e9]);
        assert!(!missed.is_met() && missed.text().contains("NOT MET"));
    }

    #[test]
    fn the_json_has_what_the_text_says() {
        let json = report([1.008e9, 1.008e9, 1.008e9]).json();
        let beside = &json["beside"][0];
        assert_eq!(json["alone_ms"], 1000.0);
        assert_eq!(beside["slower_percent"], 0.8);
        // 8 ms are a million instructions, in 1.008 s.
        assert_eq!(beside["extra_instructions_hz"], 992_063.0);
        assert_eq!(beside["interrupts_hz"], json!([1250.0, 250.0]));
    }
}
