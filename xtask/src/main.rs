//! The command line of the host side: `cargo xtask COMMAND`.

#![forbid(unsafe_code)]

mod cli;
mod closed_pipe;
mod dependencies;
mod fuzz;
mod mutants;
mod proof;
mod run;
mod simulation;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Parser, Subcommand};
use harness::accel::AccelChoice;
use harness::check_config::BootCheck;
use harness::images::{self, Images};
use harness::machine::{Accel, Chipset, HostPort, MachineSpec};
use harness::paths;
use harness::setup::{self, HostTools, LocalSystem, OldQemu};
use partition::size::parse_size;
use qemu_tests::campaigns::{bench, demo, instants, rearm};
use qemu_tests::cases;
use qemu_tests::suite::runner;

use crate::cli::linux::LinuxCommand;
use crate::cli::proof::ProofCommand;

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
    Setup,
    /// Build both images and the boot archive.
    Build {
        /// Passed on to cargo, e.g. `-- --features x`.
        #[arg(last = true)]
        cargo: Vec<String>,
    },
    /// Boot a machine and leave it running for your own client.
    Run(RunArguments),
    /// Say what a boot would say, without booting.
    CheckConfig(CheckArguments),
    /// Kill the kernel under a writing client, twice, and show that nothing is lost.
    Demo {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Where the guest's instructions are executed.
        #[arg(long, value_enum, default_value_t)]
        accel: AccelChoice,
    },
    /// Run the tests that need a machine.
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
        /// Show the tests, and run none.
        #[arg(long)]
        list: bool,
        /// Tests at a time.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
    },
    /// Kill one kernel after another: the machine arms itself again each time, and nothing is lost.
    Rearm {
        /// Takeovers in a row.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        takeovers: u64,
        /// Where the guest's instructions are executed.
        #[arg(long, value_enum, default_value_t)]
        accel: AccelChoice,
    },
    /// Kill one kernel after another in the middle of whatever it does: clients that never reconnect keep running checksums.
    Instants {
        /// Deaths in a row.
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        kills: u64,
        /// What chooses the instants.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where the guest's instructions are executed.
        #[arg(long, value_enum, default_value_t)]
        accel: AccelChoice,
    },
    /// Look at a native machine that runs, load another kernel as its backup, switch to it, fall back. Needs admin=1 on its boot line.
    Ctl(cli::ctl::CtlArguments),
    /// Check licences, versions and origin of everything that others wrote.
    Dependencies,
    /// Look for bytes from outside (boot inputs, shared memory, the network) for which something does not hold.
    Fuzz(cli::fuzz::FuzzArguments),
    #[command(flatten)]
    Linux(LinuxCommand),
    #[command(flatten)]
    Proof(ProofCommand),
    /// Measure in the deterministic model.
    Bench {
        #[command(subcommand)]
        what: BenchCommand,
    },
}

#[derive(Subcommand)]
enum BenchCommand {
    /// What a takeover costs.
    Takeover {
        /// End with one line of JSON.
        #[arg(long)]
        json: bool,
        /// Takeovers of each kind, the fault at another moment in each.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
        n: u32,
    },
}

#[derive(Args)]
struct RunArguments {
    /// CPUs.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=255))]
    cpus: u32,
    /// Memory, as QEMU takes it.
    #[arg(long, default_value = "512M")]
    mem: String,
    /// Where the guest's instructions are executed.
    #[arg(long, value_enum, default_value_t)]
    accel: AccelChoice,
    /// What the boot line says beyond the usual.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    append: String,
    /// The host's port at which the service is reached.
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The machine's chipset.
    #[arg(long, value_enum, default_value_t)]
    machine: Chipset,
    /// QEMU's name of the CPU; `qemu64` has no x2APIC.
    #[arg(long, default_value = "max")]
    cpu: String,
}

#[derive(Args)]
struct CheckArguments {
    /// The boot line.
    #[arg(long, allow_hyphen_values = true)]
    cmdline: String,
    /// CPUs of the machine.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cpus: u32,
    /// Memory of the machine, e.g. 512M.
    #[arg(long, value_parser = memory_size)]
    mem: u64,
    /// The boot archive; by default the one that was built last, if there is one.
    #[arg(long)]
    archive: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

fn memory_size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| format!("{}; {} would work", error.reason, error.would_work))
}

/// Exit code of a `check-config` that is neither accepted nor refused; a command line that cannot be read has the same.
const UNANSWERED: u8 = 2;

fn main() -> ExitCode {
    closed_pipe::keep_silent();
    let command = Arguments::parse().command;
    let error_code = match command {
        Command::CheckConfig(_) => UNANSWERED,
        _ => 1,
    };
    let outcome = match command {
        Command::Setup => set_up(),
        Command::Build { cargo } => build(&cargo),
        Command::Run(arguments) => run_machine(&arguments),
        Command::CheckConfig(arguments) => check_config(&arguments),
        Command::Demo { json, accel } => demonstrate(json, accel),
        Command::Test {
            list: true, filter, ..
        } => {
            list(filter.as_deref());
            Ok(true)
        }
        Command::Test { filter, jobs, .. } => test(filter.as_deref(), jobs),
        Command::Rearm { takeovers, accel } => arm_again(takeovers, accel),
        Command::Instants { kills, seed, accel } => die_at_instants(kills, seed, accel),
        Command::Ctl(arguments) => cli::ctl::operate(&arguments),
        Command::Dependencies => dependencies(),
        Command::Fuzz(arguments) => cli::fuzz::fuzz(&arguments),
        Command::Linux(command) => cli::linux::run(command),
        Command::Proof(command) => cli::proof::run(&command),
        Command::Bench {
            what: BenchCommand::Takeover { json, n },
        } => measure(json, n),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(error_code)
        }
    }
}

fn set_up() -> Result<bool> {
    let ready = setup::set_up(&LocalSystem, OldQemu::Replace)?;
    linux_kit::set_up()?;
    linux_kit::iso::set_up()?;
    crate::proof::memcheck::set_up()?;
    println!("setup: all there; QEMU {}", ready.qemu);
    Ok(true)
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

/// What every command needs that boots something.
fn prepare() -> Result<(HostTools, Images)> {
    Ok((setup::ensure()?, images::build(&[])?))
}

fn choose_accel(choice: AccelChoice, images: &Images) -> Result<Accel> {
    let (accel, reason) = choice.resolve(images)?;
    println!("accelerator: {} ({reason})", accel.label());
    Ok(accel)
}

fn run_machine(arguments: &RunArguments) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(arguments.accel, &images)?;
    let spec = MachineSpec {
        cpus: arguments.cpus,
        memory: arguments.mem.clone(),
        chipset: arguments.machine,
        cpu: arguments.cpu.clone(),
        port: HostPort::Fixed(arguments.port),
        may_reset: true,
        ..MachineSpec::new("run", accel)
    };
    run::run(&images, &spec.append(&arguments.append))?;
    Ok(true)
}

fn check_config(arguments: &CheckArguments) -> Result<bool> {
    let built = paths::artifacts().join("boot.cpio");
    if let Some(archive) = arguments
        .archive
        .as_ref()
        .filter(|archive| !archive.is_file())
    {
        return Err(anyhow!("{}: there is no such file", archive.display()));
    }
    let archive = arguments.archive.as_ref().unwrap_or(&built);
    let kernel = paths::artifacts().join("understudy");
    let question = BootCheck::about_files(
        arguments.cmdline.clone(),
        arguments.cpus,
        arguments.mem,
        &kernel,
        archive,
    );
    let answer = question.answer()?;
    if arguments.json {
        println!("{}", answer.json());
    } else {
        println!("{}", answer.text());
    }
    Ok(answer.is_accepted())
}

fn demonstrate(json: bool, choice: AccelChoice) -> Result<bool> {
    let (ready, images) = prepare()?;
    let accel = choose_accel(choice, &images)?;
    match demo::run(&images, accel, ready) {
        Ok(demo) => {
            println!("\n{}\n{}", demo.table(), demo.verdict());
            if json {
                println!("{}", demo.json());
            }
            Ok(demo.is_passed())
        }
        Err(problem) => {
            println!("\nFAIL: {problem}");
            if json {
                println!("{}", demo::failure_json(&problem, accel, ready));
            }
            Ok(false)
        }
    }
}

fn arm_again(takeovers: u64, choice: AccelChoice) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(choice, &images)?;
    rearm::campaign(&images, accel, takeovers)?;
    Ok(true)
}

fn die_at_instants(kills: u64, seed: u64, choice: AccelChoice) -> Result<bool> {
    let (_, images) = prepare()?;
    let accel = choose_accel(choice, &images)?;
    println!("{}", instants::campaign(&images, accel, kills, seed)?);
    Ok(true)
}

fn list(filter: Option<&str>) {
    for test in runner::select(cases::all(), filter) {
        println!("{:<22}{}", test.name, test.doc);
    }
}

fn test(filter: Option<&str>, jobs: usize) -> Result<bool> {
    let tests = runner::select(cases::all(), filter);
    if tests.is_empty() {
        return Err(anyhow!(
            "no test has {} in its name; --list shows them all",
            filter.unwrap_or_default()
        ));
    }
    let (ready, images) = prepare()?;
    let score = runner::run(&tests, &images, ready, jobs);
    println!("{score}");
    Ok(score.failed == 0)
}

fn dependencies() -> Result<bool> {
    let all = dependencies::all()?;
    let complaints = dependencies::check(&all);
    for complaint in &complaints {
        println!("dependencies: {complaint}");
    }
    if complaints.is_empty() {
        println!(
            "dependencies: {} crates, all as the policy has them",
            all.len()
        );
    }
    Ok(complaints.is_empty())
}

fn measure(json: bool, runs: u32) -> Result<bool> {
    let (ready, images) = prepare()?;
    let report = bench::takeover(&images, ready, runs)?;
    println!("\n{}", report.text());
    if json {
        println!("{}", report.json());
    }
    Ok(true)
}
