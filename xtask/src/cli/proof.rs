//! The commands that find bugs without booting a machine.

use crate::proof::{loom, memcheck, miri};
use crate::{dependencies, mutants, simulation};
use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum ProofCommand {
    /// Simulate whole machines by seed: the kernels' own code on simulated cores, with faults. `--help` says more.
    #[command(disable_help_flag = true)]
    Sim {
        /// What the simulation is told: `--seed N`, `--seeds A..B`, `--hours H`, `--liveness`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Let the simulation find deliberate bugs, one after another.
    Mutants {
        /// Only those whose name contains this.
        filter: Option<String>,
    },
    /// Check every lock-free structure in every execution that the memory model allows.
    Loom {
        /// Only models whose test's name contains this.
        filter: Option<String>,
    },
    /// Run the tests of all unsafe code under valgrind's memcheck.
    Memcheck {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Run the tests of all unsafe code under miri, which needs a nightly toolchain.
    Miri {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
}

/// Runs one of the commands. Returns false if it finds something.
pub fn run(command: &ProofCommand) -> Result<bool> {
    let outcome = match command {
        ProofCommand::Sim { arguments } => simulation::run(arguments),
        ProofCommand::Mutants { filter } => mutants::run(filter.as_deref()),
        ProofCommand::Loom { filter } => loom::run(filter.as_deref()),
        ProofCommand::Memcheck { filter } => memcheck::run(filter.as_deref()),
        ProofCommand::Miri { filter } => miri::run(filter.as_deref()),
    };
    outcome.map_err(Into::into)
}

/// Checks licences, versions and origin of all dependencies. Returns false if the policy forbids one.
pub fn check_dependencies() -> Result<bool> {
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
