//! Runs many seeds and sums up their outcomes.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::run::{Outcome, run};
use crate::scenario::{Mode, Scenario};

/// The seeds of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    from: u64,
    to: u64,
    until: Option<Instant>,
}

impl Seeds {
    /// Selects this seed alone.
    pub fn one(seed: u64) -> Self {
        Self {
            from: seed,
            to: seed + 1,
            until: None,
        }
    }

    /// Selects the fixed seeds that every run of the tests takes.
    pub fn usual() -> Self {
        Self {
            from: 0,
            to: 2_000,
            until: None,
        }
    }

    /// Selects seeds that nobody has run before, until this time.
    pub fn fresh_until(until: Instant) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let from = since.map_or(0, |since| since.as_nanos() as u64 >> 8);
        Self {
            from,
            to: u64::MAX,
            until: Some(until),
        }
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range of seeds; one like 0..2000 would work");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let (from, to) = (
            from.parse().map_err(|_| wrong())?,
            to.parse().map_err(|_| wrong())?,
        );
        if from >= to {
            return Err(wrong());
        }
        Ok(Self {
            from,
            to,
            until: None,
        })
    }
}

/// The outcomes of many seeds, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Number of seeds that were run.
    pub seeds: u64,
    /// Number of seeds in which a law was broken.
    pub failed: u64,
    /// Number of seeds in which every client had everything and the machine was protected in the end.
    pub whole: u64,
    /// Number of takeovers.
    pub takeovers: u64,
    /// Number of resets.
    pub resets: u64,
    /// Simulated time, in ns.
    pub machine_ns: u64,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds: {} takeovers, {} resets, {:.1} s of machines; \
             {} ended whole, {} as their faults excuse, {} FAILED",
            self.seeds,
            self.takeovers,
            self.resets,
            self.machine_ns as f64 / 1e9,
            self.whole,
            self.seeds - self.whole - self.failed,
            self.failed
        )
    }
}

/// Seeds to run, by one thread or several.
pub struct Campaign {
    seeds: Seeds,
    mode: Mode,
    goes_on: bool,
    next: AtomicU64,
    is_over: AtomicBool,
    sum: Mutex<Sum>,
}

impl Campaign {
    /// Makes a campaign. A seed that fails ends it unless it `goes_on`.
    pub fn new(seeds: Seeds, is_liveness: bool, goes_on: bool) -> Self {
        Self {
            mode: match is_liveness {
                true => Mode::Liveness,
                false => Mode::Safety,
            },
            goes_on,
            next: AtomicU64::new(seeds.from),
            is_over: AtomicBool::new(false),
            sum: Mutex::default(),
            seeds,
        }
    }

    /// Runs seeds until none is left.
    pub fn work(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let is_late = self
                .seeds
                .until
                .is_some_and(|until| Instant::now() >= until);
            if seed >= self.seeds.to || is_late {
                return;
            }
            self.take(seed, &run(Scenario::of(seed, self.mode)));
        }
    }

    fn take(&self, seed: u64, outcome: &Outcome) {
        if let Some(law) = &outcome.violation {
            println!("seed {seed}: {law}");
            println!(
                "  commit: {}",
                std::env::var("UNDERSTUDY_COMMIT").unwrap_or_default()
            );
            println!(
                "  replay: cargo xtask sim --seed {seed}{}",
                self.mode.option()
            );
            self.is_over.store(!self.goes_on, Ordering::Relaxed);
        }
        let Ok(mut sum) = self.sum.lock() else { return };
        sum.seeds += 1;
        sum.failed += u64::from(outcome.violation.is_some());
        sum.whole += u64::from(outcome.is_whole && outcome.violation.is_none());
        sum.takeovers += outcome.takeovers;
        sum.resets += outcome.resets;
        sum.machine_ns += outcome.took_ns;
    }

    /// Returns the sum of the outcomes so far.
    pub fn sum(&self) -> Sum {
        self.sum.lock().map_or(Sum::default(), |sum| *sum)
    }
}
