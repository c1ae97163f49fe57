//! `cargo xtask clients`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::accel::AccelChoice;
use qemu_tests::campaigns::clients::{self, Outcome, Tools};

use super::prepare::{choose_accel, prepare};

/// Which clients, and what runs them.
#[derive(Args)]
pub struct ClientsArguments {
    /// Only clients whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// The Python whose packages are used: redis, hiredis, huey, Django, Flask-Session. Nothing is fetched.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The folder with node's packages: redis, ioredis.
    #[arg(long)]
    node_modules: Option<PathBuf>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
}

/// Runs clients that others wrote across takeovers. Returns false if one had an error or lost something.
pub fn run(arguments: &ClientsArguments) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    let tools = Tools {
        python: arguments.python.clone(),
        node_modules: arguments.node_modules.clone(),
    };
    let each = |name: &str, outcome: &Outcome| match outcome {
        Outcome::Ran {
            calls,
            errors,
            lost,
            said,
        } => {
            println!("{name:<22} {calls:>6} calls, {errors:>2} errors, {lost:>2} lost");
            for line in said {
                println!("    {line}");
            }
        }
        Outcome::Skipped(reason) => println!("{name:<22} SKIPPED: {reason}"),
    };
    let report = clients::run(&images, accel, &tools, &arguments.only, each)?;
    for (name, reason) in clients::LEFT_OUT {
        println!("{name:<22} left out: {reason}");
    }
    if arguments.json {
        println!("{}", report.json());
    }
    Ok(report.is_passed())
}
