//! `cargo xtask redis-suite`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::accel::AccelChoice;
use qemu_tests::campaigns::redis_suite;

use super::prepare::{choose_accel, prepare};

/// Which suite.
#[derive(Args)]
pub struct SuiteArguments {
    /// A checkout of Redis 7.0. Nothing is fetched.
    #[arg(long)]
    suite: Option<PathBuf>,
    /// Only files of the suite whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Show the tests that are left out, and why, and run none.
    #[arg(long)]
    list: bool,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
}

/// Runs Redis' own suite. Returns false if a test fails that is no exception.
pub fn run(arguments: &SuiteArguments) -> Result<bool> {
    if arguments.list {
        for exception in redis_suite::EXCEPTIONS {
            println!("{}\n    {}", exception.test, exception.reason);
        }
        return Ok(true);
    }
    let Some(suite) = &arguments.suite else {
        anyhow::bail!(
            "--suite DIR names a checkout of Redis 7.0; --list shows what would be left out"
        );
    };
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    let each = |unit: &str, outcome: &redis_suite::Outcome| {
        let failed = outcome.failed.len();
        println!(
            "{unit:<20} {:>4} passed, {failed:>3} failed, {:>3} left out",
            outcome.passed, outcome.skipped
        );
        for name in &outcome.failed {
            println!("    FAILED: {name}");
        }
    };
    let report = redis_suite::run(&images, accel, suite, &arguments.only, each)?;
    if arguments.json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}
