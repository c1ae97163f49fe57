//! `cargo xtask sim`: runs seeds and prints their outcomes.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::campaign::{Campaign, Seeds};
use simulation::{panics, trace};

/// Simulates whole machines, one per seed.
#[derive(Parser)]
#[command(name = "sim", bin_name = "cargo xtask sim")]
struct Arguments {
    /// Runs this seed and prints what the kernels log.
    #[arg(long, conflicts_with_all = ["seeds", "hours"])]
    seed: Option<u64>,
    /// Runs the seeds from A to below B.
    #[arg(long, value_name = "A..B", conflicts_with = "hours")]
    seeds: Option<Seeds>,
    /// Runs seeds never used before, for this many hours.
    #[arg(long)]
    hours: Option<f64>,
    /// Goes on after a seed that failed.
    #[arg(long)]
    all: bool,
    /// Injects only faults after which a machine has to be protected again.
    #[arg(long)]
    liveness: bool,
    /// Number of threads.
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
