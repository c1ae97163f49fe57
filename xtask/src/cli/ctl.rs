//! `cargo xtask ctl`: operates a native machine over the network.

use std::path::PathBuf;
use std::process;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use compute_slice::operator::{self as slices, JobEnd, LogReader, Orders, start_text};
use harness::files;
use harness::operator::{self, MachineStatus};
use hpc_tests::operator::{NetworkOrders, pause};
use sharedmem::mailbox::ComputeOrder;

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
        let mut orders = NetworkOrders(port);
        match self {
            Self::Log { slice } => {
                LogReader::new(slice).read(&mut orders, |line| println!("{line}"))?;
            }
            Self::Result {
                slice,
                region,
                file,
            } => {
                let result = slices::result(&mut orders, slice, region)?;
                if let Some(file) = file {
                    files::write(file, &result.bytes)?;
                }
                println!(
                    "{region}: {} bytes of step {}",
                    result.bytes.len(),
                    result.step
                );
            }
            Self::Run {
                slice,
                arguments,
                wait,
            } => {
                let mut log = slices::start(&mut orders, slice, arguments)?;
                if *wait {
                    end_with(log.wait(&mut orders, |line| println!("{line}"), pause)?)?;
                }
            }
            Self::List => {
                let states = slices::states(&mut orders)?;
                states.iter().for_each(|state| println!("{state}"));
            }
            Self::Status { slice } => give(orders, ComputeOrder::Status, slice)?,
            Self::Stop { slice } => give(orders, ComputeOrder::Stop, slice)?,
            Self::Start { slice, arguments } => {
                give(orders, ComputeOrder::Start, &start_text(slice, arguments))?;
            }
        }
        Ok(())
    }
}

/// Gives an order, and prints what the slice does then.
fn give(mut orders: NetworkOrders, order: ComputeOrder, text: &str) -> Result<()> {
    println!("{}", orders.give(order, text)?);
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
