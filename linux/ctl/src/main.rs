//! `understudyctl`: what the operator of a Linux tenant asks and orders.
//!
//! The module opens the door (`/dev/understudy`); what is read there, the shared region, is read by the same crates that the monitor is made of.

mod arm;
mod device;
mod hooks;
mod log;
mod park;
mod problem;
mod status;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::device::Device;
use crate::problem::Problem;

const EXIT_CODES: &str = "\
Exit codes: 0 done, or yes; 1 no, unprotected, or refused; 2 wrong usage; 3 no understudy here: not started by it, or the module is not loaded; \
4 the system refused something";

#[derive(Parser)]
#[command(version, about = "Failover between two kernels on one machine", after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says who this kernel is, and whether a backup protects it
    Status {
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Waits, asleep, to take over; then runs the hooks. What the init of a backup does last
    Park {
        /// Where the hooks are
        #[arg(long, default_value = "/etc/understudy/takeover.d")]
        hooks: PathBuf,
        /// How long a hook may take, in seconds
        #[arg(long, default_value_t = 10)]
        limit: u64,
        /// Leave the pool's memory, the other cores and the re-arming to somebody else
        #[arg(long)]
        only_hooks: bool,
    },
    /// Loads a new backup: the other kernel of the boot line, or the one given
    Arm {
        /// A bzImage
        kernel: Option<PathBuf>,
        /// Its initrd
        #[arg(long, requires = "kernel")]
        initrd: Option<PathBuf>,
        /// Its command line
        #[arg(long, requires = "kernel", default_value = "")]
        cmdline: String,
        /// The CPU that is lent to it while it boots; the last one if none is named
        #[arg(long)]
        cpu: Option<u32>,
    },
    /// Gives the backup up
    Disarm,
    /// Tries a takeover again that was refused
    Retry,
    /// Hands over to the backup, on purpose
    Switch,
    /// Says what the other kernel and the monitor have to say
    Log,
    /// Checks, without doing anything, whether a takeover would find what it needs
    Test,
    /// Stamps an edge of the takeover's timeline, by name or number
    Stamp {
        /// `serving`, `first-reply`, `disk-readable`, ...
        edge: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("understudyctl: {problem}");
            ExitCode::from(problem.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), Problem> {
    let device = Device::open()?;
    match command {
        Command::Status { json } => {
            let status = status::Status::read(&device)?;
            match json {
                true => println!("{}", status.json()),
                false => print!("{}", status.text()),
            }
            match status.is_protected() {
                true => Ok(()),
                false => Err(Problem::No(status.why_unprotected())),
            }
        }
        Command::Park {
            hooks,
            limit,
            only_hooks,
        } => park::park(&device, &hooks, Duration::from_secs(limit), only_hooks),
        Command::Arm {
            kernel,
            initrd,
            cmdline,
            cpu,
        } => {
            let staged = kernel.map(|kernel| arm::Image {
                kernel,
                initrd,
                cmdline,
            });
            arm::arm(&device, staged.as_ref(), cpu)
        }
        Command::Disarm => arm::ask(&device, sharedmem::linux::Command::Disarm),
        Command::Retry => arm::ask(&device, sharedmem::linux::Command::Retry),
        Command::Switch => arm::switch(&device),
        Command::Log => {
            print!("{}", log::text(&device)?);
            Ok(())
        }
        Command::Test => status::test(&device),
        Command::Stamp { edge } => status::stamp(&device, &edge),
    }
}
