//! `cargo xtask ctl`: operates a native machine over the network.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use harness::operator::{self, MachineStatus};

/// Which machine, and what to do.
#[derive(Args)]
pub struct CtlArguments {
    /// The port of the machine's service on this host.
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What the machine says of itself.
    Status,
    /// Load an image as the backup: it is verified, then it replaces the one that waits, reads the state and is armed.
    Load {
        /// The image: an ELF of the same ABI and journal revisions.
        image: PathBuf,
    },
    /// Switch to the backup. Again: fall back.
    Switch,
    /// Load a backup, if there is none.
    Arm,
    /// Give the backup up.
    Disarm,
    /// Try a refused takeover again.
    Retry,
    /// Look at compute slices, start and stop them.
    Compute {
        #[command(subcommand)]
        what: Compute,
    },
}

#[derive(Subcommand)]
enum Compute {
    /// All slices, each with what it does.
    List,
    /// What a slice does.
    Status {
        /// Its name.
        slice: String,
    },
    /// Begin anew: nothing of an earlier job is left.
    Start {
        /// Its name.
        slice: String,
        /// What is computed; without it the same as before.
        arguments: Vec<String>,
    },
    /// Stop a slice.
    Stop {
        /// Its name.
        slice: String,
    },
}

impl Compute {
    /// Returns the words of the order, as the service takes them.
    fn words(&self) -> Vec<&[u8]> {
        let (word, rest): (&str, Vec<&String>) = match self {
            Self::List => ("LIST", Vec::new()),
            Self::Status { slice } => ("STATUS", vec![slice]),
            Self::Stop { slice } => ("STOP", vec![slice]),
            Self::Start { slice, arguments } => {
                ("START", [slice].into_iter().chain(arguments).collect())
            }
        };
        let rest = rest.into_iter().map(|text| text.as_bytes());
        [word.as_bytes()].into_iter().chain(rest).collect()
    }
}

/// Carries out the operator's command, and prints the result.
pub fn operate(arguments: &CtlArguments) -> Result<bool> {
    let port = arguments.port;
    match &arguments.what {
        What::Status => MachineStatus::of(port)?
            .lines()
            .for_each(|line| println!("{line}")),
        What::Load { image } => {
            let version = operator::load_file(port, image)?;
            println!("armed: version {version} waits as the backup");
        }
        What::Switch => {
            let status = operator::switch(port)?;
            let (version, epoch) = (status.text("version"), status.number("epoch"));
            println!("switched: version {version} serves, epoch {epoch}");
        }
        What::Arm => {
            operator::request(port, &[b"ARM"])?;
            let status =
                operator::wait_until(port, "no backup is ready", MachineStatus::is_protected)?;
            println!(
                "armed: version {} waits as the backup",
                status.text("backup_version")
            );
        }
        What::Disarm => {
            operator::request(port, &[b"DISARM"])?;
            println!("disarmed: the machine is unprotected");
        }
        What::Compute { what } => {
            let answer = operator::compute(port, &what.words())?;
            answer.split("; ").for_each(|line| println!("{line}"));
        }
        What::Retry => {
            operator::request(port, &[b"RETRY"])?;
            println!("the monitor tries again, if a takeover was refused");
        }
    }
    Ok(true)
}
