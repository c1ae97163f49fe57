//! `cargo xtask ctl`: operates a native machine over the network.

use std::path::PathBuf;
use std::process;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use harness::files;
use harness::operator::{self, MachineStatus};
use hpc_tests::operator::{self as slices, JobEnd, LogReader};

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
    /// Print the log of a slice.
    Log {
        /// Its name.
        slice: String,
    },
    /// Write a region to a file, as of the last committed step.
    Result {
        /// The slice's name.
        slice: String,
        /// The region's name.
        region: String,
        /// The file; without it the length and the step are printed.
        file: Option<PathBuf>,
    },
    /// Start a job. With `--wait` print its log until it ends, and end with its exit code.
    Run {
        /// The slice's name.
        slice: String,
        /// What is computed; without it the same as before.
        arguments: Vec<String>,
        /// Wait for its end.
        #[arg(long)]
        wait: bool,
    },
    /// Stop a slice.
    Stop {
        /// Its name.
        slice: String,
    },
}

impl Compute {
    /// Carries it out, and prints the result.
    fn carry_out(&self, port: u16) -> Result<()> {
        match self {
            Self::Log { slice } => LogReader::new(port, slice).read(|line| println!("{line}"))?,
            Self::Result {
                slice,
                region,
                file,
            } => {
                let (step, bytes) = slices::result(port, slice, region)?;
                if let Some(file) = file {
                    files::write(file, &bytes)?;
                }
                println!("{region}: {} bytes of step {step}", bytes.len());
            }
            Self::Run {
                slice,
                arguments,
                wait,
            } => {
                let mut log = slices::start(port, slice, arguments)?;
                if *wait {
                    let end = slices::wait(port, &mut log, |line| println!("{line}"))?;
                    end_with(end)?;
                }
            }
            Self::List => order(port, &[b"LIST"])?,
            Self::Status { slice } => order(port, &[b"STATUS", slice.as_bytes()])?,
            Self::Stop { slice } => order(port, &[b"STOP", slice.as_bytes()])?,
            Self::Start { slice, arguments } => {
                let rest = arguments.iter().map(|text| text.as_bytes());
                let words: Vec<&[u8]> = [b"START".as_slice(), slice.as_bytes()]
                    .into_iter()
                    .chain(rest)
                    .collect();
                order(port, &words)?;
            }
        }
        Ok(())
    }
}

/// Gives an order, and prints what the slices do then.
fn order(port: u16, words: &[&[u8]]) -> Result<()> {
    let answer = operator::compute(port, words)?;
    answer.split("; ").for_each(|line| println!("{line}"));
    Ok(())
}

/// Ends this process with the exit code of a job, if that is not 0.
fn end_with(end: JobEnd) -> Result<()> {
    match end {
        JobEnd::Finished(0) => Ok(()),
        JobEnd::Finished(code) => process::exit(code.into()),
        JobEnd::Other(state) => bail!("the job has no exit code: {state}"),
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
        What::Compute { what } => what.carry_out(port)?,
        What::Retry => {
            operator::request(port, &[b"RETRY"])?;
            println!("the monitor tries again, if a takeover was refused");
        }
    }
    Ok(true)
}
