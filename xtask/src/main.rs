//! The command line of the host side: `cargo xtask COMMAND`.
//!
//! [`cli`] has the subcommands. What proves something without a machine is here: [`proof`], [`simulation`],
//! [`mutants`], [`fuzz`], [`dependencies`]. What boots machines is in `qemu-tests`, over `harness`; what Linux tenants
//! are built of, in `linux/kit`.

#![forbid(unsafe_code)]

mod cli;
mod closed_pipe;
mod dependencies;
mod fuzz;
mod mutants;
mod proof;
mod run;
mod simulation;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use harness::images;

use cli::bench::{self, BenchCommand};
use cli::campaigns::{self, DemoArguments, InstantsArguments, RearmArguments};
use cli::check_config::{self, CheckArguments, UNANSWERED};
use cli::linux::LinuxCommand;
use cli::proof::ProofCommand;

/// Builds, boots, kills, measures and tests the failover kernel.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the other commands need, where it is missing.
    Setup(cli::setup::SetupArguments),
    /// Build both images and the boot archive.
    Build {
        /// Passed on to cargo, e.g. `-- --features x`.
        #[arg(last = true)]
        cargo: Vec<String>,
    },
    /// Boot a machine and leave it running for your own client.
    Run(cli::run::RunArguments),
    /// Say what a boot would say, without booting.
    CheckConfig(CheckArguments),
    /// Kill the kernel under a writing client, twice, and show that nothing is lost.
    Demo(DemoArguments),
    /// Run the tests that need a machine.
    Test(cli::test::TestArguments),
    /// Kill one kernel after another: the machine arms itself again each time, and nothing is lost.
    Rearm(RearmArguments),
    /// Kill one kernel after another in the middle of whatever it does: clients that never reconnect keep running
    /// checksums.
    Instants(InstantsArguments),
    /// Damage memory, devices and CPUs of a machine at work, by the emulator's debugger port, and say what it comes to.
    Faults(cli::faults::FaultsArguments),
    /// Damage machines at random, some thousand times, and tell apart what it comes to.
    Campaign(cli::campaign::CampaignArguments),
    /// Attack machines as a client: afterwards each serves, is protected, and has given the memory back.
    Hostile(cli::hostile::HostileArguments),
    /// Run Redis' own test suite, of a checkout that you name, against a machine.
    RedisSuite(cli::redis_suite::SuiteArguments),
    /// Run clients that others wrote, and what is built on them, against a machine across takeovers.
    Clients(cli::clients::ClientsArguments),
    /// Look at a native machine that runs, load another kernel as its backup, switch to it, fall back. Needs admin=1 on
    /// its boot line.
    Ctl(cli::ctl::CtlArguments),
    /// Check licences, versions and origin of everything that others wrote.
    Dependencies,
    /// Look for bytes from outside (boot inputs, shared memory, the network) for which something does not hold.
    Fuzz(cli::fuzz::FuzzArguments),
    #[command(flatten)]
    Linux(LinuxCommand),
    #[command(flatten)]
    Proof(ProofCommand),
    /// Measure: in the deterministic model, and side by side with what people use instead.
    Bench {
        #[command(subcommand)]
        what: BenchCommand,
    },
}

fn main() -> ExitCode {
    closed_pipe::end_quietly();
    let command = Arguments::parse().command;
    let error_code = match command {
        Command::CheckConfig(_) => UNANSWERED,
        _ => 1,
    };
    match execute(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(error_code)
        }
    }
}

/// Executes a command. Returns false if what it shows is not as it should be.
fn execute(command: Command) -> Result<bool> {
    match command {
        Command::Setup(arguments) => cli::setup::set_up(&arguments),
        Command::Build { cargo } => build(&cargo),
        Command::Run(arguments) => cli::run::run(&arguments),
        Command::CheckConfig(arguments) => check_config::check(&arguments),
        Command::Demo(arguments) => campaigns::demonstrate(&arguments),
        Command::Test(arguments) => cli::test::test(&arguments),
        Command::Rearm(arguments) => campaigns::arm_again(&arguments),
        Command::Instants(arguments) => campaigns::die_at_instants(&arguments),
        Command::Faults(arguments) => cli::faults::strike(&arguments),
        Command::Campaign(arguments) => cli::campaign::inject(&arguments),
        Command::Hostile(arguments) => cli::hostile::attack(&arguments),
        Command::RedisSuite(arguments) => cli::redis_suite::run(&arguments),
        Command::Clients(arguments) => cli::clients::run(&arguments),
        Command::Ctl(arguments) => cli::ctl::operate(&arguments),
        Command::Dependencies => cli::proof::check_dependencies(),
        Command::Fuzz(arguments) => cli::fuzz::fuzz(&arguments),
        Command::Linux(command) => cli::linux::run(command),
        Command::Proof(command) => cli::proof::run(&command),
        Command::Bench { what } => bench::measure(&what),
    }
}

fn build(cargo: &[String]) -> Result<bool> {
    let images = images::build(cargo)?;
    println!(
        "built {} and {}",
        images.kernel.display(),
        images.archive.display()
    );
    Ok(true)
}
