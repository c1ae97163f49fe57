//! The measurements: `cargo xtask bench`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use harness::accel::AccelChoice;
use harness::images::Images;
use harness::machine::Accel;
use harness::setup::{self, LocalSystem};
use hpc_tests::bench::{self as hpc, Extent};
use peers::{Cause, Peer, PeerOutcome, Sentinel, Understudy};
use qemu_tests::campaigns::{bench, false_takeovers};
use serde_json::{Value, json};

use super::prepare::{choose_accel, prepare};

/// What the peers need.
const NEEDED: [setup::Need; 1] = [(
    "redis-server",
    "redis-server",
    "is the peers' server and sentinel",
)];

/// After which silence a server of the peers counts as dead: what Sentinel's documents call usual for tests.
const DOWN_AFTER: [Duration; 2] = [Duration::from_millis(5_000), Duration::from_millis(500)];

/// What is measured.
#[derive(Subcommand)]
pub enum BenchCommand {
    /// What a takeover costs, in the deterministic model.
    Takeover {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Takeovers of each kind, the fault at another moment in each.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        n: u32,
    },
    /// What a computation in a compute slice notices of what happens beside it, and what its own death costs; in the
    /// deterministic model.
    Hpc {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Measure less of everything: a few deaths, less data.
        #[arg(long)]
        quick: bool,
        /// What chooses the instants of death.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Measure only the parts whose names have this text in them, such as `commit`.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// What a client notices of a failover: of a machine of ours, and of Redis with Sentinel, by the same client.
    Peers {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Deaths of each kind.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        n: u32,
    },
    /// How often a machine takes over though nobody died, by time-out and load, in real time.
    FalseTakeovers {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// How long each machine is watched, in seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        seconds: u64,
    },
    /// Takeovers in the model, peers, and false takeovers.
    All {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Measure less of everything: one death of each kind, ten seconds for each time-out.
        #[arg(long)]
        quick: bool,
    },
}

/// Measures. Returns false if something was lost that should not be.
pub fn measure(what: &BenchCommand) -> Result<bool> {
    let (tools, images) = prepare()?;
    let (object, wants_json, is_passed) = match what {
        BenchCommand::Takeover { json, n } => {
            let report = bench::takeover(&images, tools, *n)?;
            println!("\n{}", report.text());
            (report.json(), *json, true)
        }
        BenchCommand::Hpc {
            json,
            quick,
            seed,
            only,
        } => {
            let extent = if *quick { Extent::QUICK } else { Extent::WHOLE };
            let report = hpc::run(&images, tools, extent, *seed, only)?;
            println!("\n{}", report.text());
            (report.json(), *json, report.is_passed())
        }
        BenchCommand::Peers { json, n } => {
            let outcomes = compare(&images, choose_accel(AccelChoice::default(), &images)?, *n)?;
            let is_passed = is_ours_whole(&outcomes);
            let object = json!({ "verdict": verdict(is_passed), "peers": peers_json(&outcomes) });
            (object, *json, is_passed)
        }
        BenchCommand::FalseTakeovers { json, seconds } => {
            let accel = choose_accel(AccelChoice::default(), &images)?;
            let rows = watch(&images, accel, Duration::from_secs(*seconds))?;
            let object = json!({ "false_takeovers": false_takeovers::json(&rows) });
            (object, *json, true)
        }
        BenchCommand::All { json, quick } => {
            let (n, watched) = match quick {
                true => (1, Duration::from_secs(10)),
                false => (5, Duration::from_secs(600)),
            };
            let accel = choose_accel(AccelChoice::default(), &images)?;
            let report = bench::takeover(&images, tools, n)?;
            println!("\n{}", report.text());
            let outcomes = compare(&images, accel, n)?;
            let rows = watch(&images, accel, watched)?;
            let is_passed = is_ours_whole(&outcomes);
            let mut object = report.json();
            object["verdict"] = json!(verdict(is_passed));
            object["peers"] = peers_json(&outcomes);
            object["false_takeovers"] = false_takeovers::json(&rows);
            (object, *json, is_passed)
        }
    };
    if wants_json {
        println!("{object}");
    }
    Ok(is_passed)
}

fn verdict(is_passed: bool) -> &'static str {
    if is_passed { "pass" } else { "fail" }
}

/// Kills every peer in every way, `n` times, and prints each outcome.
fn compare(images: &Images, accel: Accel, n: u32) -> Result<Vec<PeerOutcome>> {
    setup::check_programs(&LocalSystem, &NEEDED)?;
    let mut outcomes = Vec::new();
    for _ in 0..n {
        for cause in Cause::ALL {
            let mut take = |peer: &mut dyn Peer| -> Result<()> {
                let outcome = peers::measure(peer, cause)?;
                println!("peers: {outcome}");
                outcomes.push(outcome);
                Ok(())
            };
            take(&mut Understudy::start(images, accel)?)?;
            for down_after in DOWN_AFTER {
                take(&mut Sentinel::start(Path::new("redis-server"), down_after)?)?;
            }
        }
    }
    Ok(outcomes)
}

/// Returns whether a machine of ours lost nothing and broke no connection.
fn is_ours_whole(outcomes: &[PeerOutcome]) -> bool {
    let mut ours = outcomes.iter().filter(|it| it.peer == Understudy::NAME);
    ours.all(|it| it.audit.is_clean() && it.broken_connections == 0)
}

fn peers_json(outcomes: &[PeerOutcome]) -> Value {
    outcomes.iter().map(PeerOutcome::json).collect()
}

fn watch(images: &Images, accel: Accel, time: Duration) -> Result<Vec<false_takeovers::Row>> {
    let rows = false_takeovers::run(images, accel, time, |row| {
        println!("false takeovers: {row}")
    })?;
    Ok(rows)
}
