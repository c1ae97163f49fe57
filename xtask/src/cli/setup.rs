//! `cargo xtask setup`: the only command that changes the system.

use anyhow::Result;
use clap::Args;
use harness::bochs;
use harness::setup::{self, LocalSystem};

use crate::proof::memcheck;

/// How much is installed.
#[derive(Args)]
pub struct SetupArguments {
    /// Install only what a machine needs: QEMU, and Redis' clients.
    #[arg(long)]
    machines_only: bool,
}

/// Installs what is missing. Returns false if something cannot be installed that only some commands need.
pub fn set_up(arguments: &SetupArguments) -> Result<bool> {
    let tools = setup::set_up(&LocalSystem)?;
    if arguments.machines_only {
        println!("setup: QEMU {}", tools.qemu);
        return Ok(true);
    }
    let others = [
        linux_kit::set_up(),
        setup::install_programs(&LocalSystem, &memcheck::NEEDED),
        setup::install_programs(&LocalSystem, &bochs::NEEDED),
        setup::install_programs(&LocalSystem, &linux_tests::campaigns::deb::NEEDED),
    ];
    let problems: Vec<_> = others.into_iter().filter_map(Result::err).collect();
    for problem in &problems {
        eprintln!("setup: {problem}");
    }
    if problems.is_empty() {
        println!("setup: all there; QEMU {}", tools.qemu);
    }
    Ok(problems.is_empty())
}
