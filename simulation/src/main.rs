//! `cargo xtask sim`: runs seeds and says what came of them.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::campaign::{Campaign, Seeds};
use simulation::{panics, trace};

/// Simulates whole machines, by seed.
#[derive(Parser)]
#[command(name = "sim", bin_name = "cargo xtask sim")]
struct Arguments {
    /// One seed, with everything that is said.
    #[arg(long, conflicts_with_all = ["seeds", "hours"])]
    seed: Option<u64>,
    /// Seeds from A to below B.
    #[arg(long, value_name = "A..B", conflicts_with = "hours")]
    seeds: Option<Seeds>,
    /// Seeds never used before, for so long.
    #[arg(long)]
    hours: Option<f64>,
    /// Go on after a seed that failed.
    #[arg(long)]
    all: bool,
    /// Only faults after which a machine has to protect itself again.
    #[arg(long)]
    liveness: bool,
    /// Cores of the host to use.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    panics::keep();
    if arguments.seed.is_some() {
        trace::begin();
    }
    let begin = Instant::now();
    let seeds = match (arguments.seed, arguments.seeds, arguments.hours) {
        (Some(seed), ..) => Seeds::one(seed),
        (None, Some(seeds), _) => seeds,
        (None, None, Some(hours)) => {
            Seeds::fresh_until(begin + Duration::from_secs_f64(hours * 3600.0))
        }
        (None, None, None) => Seeds::usual(),
    };
    let campaign = Campaign::new(seeds, arguments.liveness, arguments.all);
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| campaign.work());
        }
    });
    let sum = campaign.sum();
    println!(
        "{sum}, {:.0} seeds a minute",
        sum.seeds as f64 / begin.elapsed().as_secs_f64() * 60.0
    );
    ExitCode::from(u8::from(sum.failed > 0))
}
