//! The commands that check the code which shares memory.

use anyhow::Result;
use clap::Subcommand;
use qemu_tests::proof::{loom, memcheck, miri};

#[derive(Subcommand)]
pub enum ProofCommand {
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

/// Runs one; false if it finds something.
pub fn run(command: &ProofCommand) -> Result<bool> {
    let outcome = match command {
        ProofCommand::Loom { filter } => loom::run(filter.as_deref()),
        ProofCommand::Memcheck { filter } => memcheck::run(filter.as_deref()),
        ProofCommand::Miri { filter } => miri::run(filter.as_deref()),
    };
    outcome.map_err(Into::into)
}
