//! `cargo xtask fuzz`.

use std::time::Duration;

use crate::fuzz::{Fuzzer, list, select};
use anyhow::Result;
use clap::Args;
use harness::problem::Problem;
use partition::duration::parse_duration;

#[derive(Args)]
pub struct FuzzArguments {
    /// What to feed; without it everything, one after the other.
    target: Option<String>,
    /// How long each, as durations are said on the boot line, e.g. 600s.
    #[arg(long, default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Show what can be fed, and run nothing.
    #[arg(long, conflicts_with_all = ["time", "keep"])]
    list: bool,
    /// Look for nothing, but put what was found to reach more into the committed corpus.
    #[arg(long, conflicts_with = "time")]
    keep: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map(Duration::from_nanos)
        .map_err(|error| format!("{}; {} would work", error.reason, error.would_work))
}

pub fn fuzz(arguments: &FuzzArguments) -> Result<bool> {
    if arguments.list {
        print!("{}", list()?);
        return Ok(true);
    }
    let targets = select(arguments.target.as_deref())?;
    let fuzzer = Fuzzer::build()?;
    let mut found = false;
    for target in targets {
        let outcome = match arguments.keep {
            true => fuzzer.keep(&target),
            false => fuzzer.look(&target, arguments.time),
        };
        match outcome {
            Ok(report) => println!("{target:<16}{report}"),
            Err(Problem::Failed(finding)) => {
                println!("{target:<16}{finding}");
                found = true;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(!found)
}
