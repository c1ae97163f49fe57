//! The campaigns on native machines: demo, rearm, instants.

use anyhow::Result;
use clap::Args;
use harness::accel::AccelChoice;
use qemu_tests::campaigns::{demo, instants, rearm};

use super::prepare::{choose_accel, prepare};

/// How the demonstration is run.
#[derive(Args)]
pub struct DemoArguments {
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
}

/// How many takeovers there are.
#[derive(Args)]
pub struct RearmArguments {
    /// Takeovers in a row.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    takeovers: u64,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
}

/// How many deaths there are, and when.
#[derive(Args)]
pub struct InstantsArguments {
    /// Deaths in a row.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    kills: u64,
    /// What chooses the instants.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
}

/// Demonstrates two takeovers. Returns false if something was lost or did not work.
pub fn demonstrate(arguments: &DemoArguments) -> Result<bool> {
    let (tools, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    match demo::run(&images, accel, tools) {
        Ok(demo) => {
            println!("\n{}\n{}", demo.table(), demo.verdict());
            if arguments.json {
                println!("{}", demo.json());
            }
            Ok(demo.is_passed())
        }
        Err(problem) => {
            println!("\nFAIL: {problem}");
            if arguments.json {
                println!("{}", demo::failure_json(&problem, accel, tools));
            }
            Ok(false)
        }
    }
}

/// Kills one kernel after another; the machine arms itself again each time.
pub fn arm_again(arguments: &RearmArguments) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    rearm::campaign(&images, accel, arguments.takeovers)?;
    Ok(true)
}

/// Kills one kernel after another, at any instant.
pub fn die_at_instants(arguments: &InstantsArguments) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    let report = instants::campaign(&images, accel, arguments.kills, arguments.seed)?;
    println!("{report}");
    Ok(true)
}
