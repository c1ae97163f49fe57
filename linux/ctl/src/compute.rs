//! The compute slices of this machine: looked at, started and stopped through the monitor, which reads them without
//! taking a cycle from their cores.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Subcommand;
use compute_slice::operator::{self, JobEnd, LogReader, Orders, start_text};
use sharedmem::mailbox::{self as contract, COMPUTE_TEXT_BYTES, ComputeOrder};

use crate::mailbox;
use crate::module::Module;
use crate::problem::Problem;
use crate::{print, print_error};

/// Between two looks at a job.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What `understudyctl compute` can do. A Linux that is not the primary can do none of it.
#[derive(Subcommand)]
pub enum ComputeCommand {
    /// Shows all slices, each with what it does
    List,
    /// Shows what a slice does
    Status {
        /// Its name
        slice: String,
    },
    /// Begins a job; nothing of an earlier one is left
    Start {
        /// The slice's name
        slice: String,
        /// What is computed; without it the same as before
        arguments: Vec<String>,
    },
    /// Begins a job. With --wait, prints its log until it ends, and ends with its exit code
    Run {
        /// The slice's name
        slice: String,
        /// What is computed; without it the same as before
        arguments: Vec<String>,
        /// Wait for its end
        #[arg(long)]
        wait: bool,
    },
    /// Prints the log of a slice
    Log {
        /// Its name
        slice: String,
    },
    /// Writes a region to a file, as of the last committed step
    Result {
        /// The slice's name
        slice: String,
        /// The region's name
        region: String,
        /// The file; without it only the length and the step are printed
        file: Option<PathBuf>,
    },
    /// Stops what a slice computes
    Stop {
        /// Its name
        slice: String,
    },
}

/// Carries a command out, and prints the outcome.
///
/// # Errors
/// Returns an error if this is not the primary, if the monitor refuses, or if a job that was waited for failed.
pub fn run(module: &dyn Module, command: &ComputeCommand) -> Result<(), Problem> {
    let mut orders = MailboxOrders(module);
    let line = |text: &str| print(format_args!("{text}\n"));
    match command {
        ComputeCommand::List => operator::states(&mut orders)?
            .iter()
            .for_each(|state| line(state)),
        ComputeCommand::Status { slice } => line(&orders.give(ComputeOrder::Status, slice)?),
        ComputeCommand::Stop { slice } => line(&orders.give(ComputeOrder::Stop, slice)?),
        ComputeCommand::Start { slice, arguments } => {
            let text = start_text(slice, arguments);
            line(&orders.give(ComputeOrder::Start, &text)?);
        }
        ComputeCommand::Log { slice } => LogReader::new(slice).read(&mut orders, line)?,
        ComputeCommand::Result {
            slice,
            region,
            file,
        } => {
            let result = operator::result(&mut orders, slice, region)?;
            if let Some(file) = file {
                fs::write(file, &result.bytes).map_err(Problem::with(file.display()))?;
            }
            let bytes = result.bytes.len();
            line(&format!("{region}: {bytes} bytes of step {}", result.step));
        }
        ComputeCommand::Run {
            slice,
            arguments,
            wait,
        } => {
            let mut log = operator::start(&mut orders, slice, arguments)?;
            if *wait {
                return ended(log.wait(&mut orders, line, Progress::default().teller())?);
            }
        }
    }
    Ok(())
}

fn ended(end: JobEnd) -> Result<(), Problem> {
    match end {
        JobEnd::Finished(0) => Ok(()),
        JobEnd::Finished(code) => Err(Problem::Job(code)),
        JobEnd::Other(state) => Err(Problem::No(format!("the job has no exit code: {state}"))),
    }
}

/// Shows a person at the terminal how far a job is.
#[derive(Default)]
struct Progress(String);

impl Progress {
    /// Returns what is called between two looks at the job, with its state.
    fn teller(mut self) -> impl FnMut(&str) {
        let is_watched = io::stderr().is_terminal();
        move |state| {
            if is_watched && self.0 != state {
                print_error(state);
                self.0 = state.into();
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// The way to the monitor: the primary's mailbox.
struct MailboxOrders<'m>(&'m dyn Module);

impl Orders for MailboxOrders<'_> {
    type Error = Problem;

    fn give(&mut self, order: ComputeOrder, text: &str) -> Result<String, Problem> {
        if !self.0.info()?.is_primary() {
            return Err(Problem::No(
                "only the primary can give orders to the monitor".into(),
            ));
        }
        let arguments = contract::compute_arguments(order, text.as_bytes()).ok_or_else(|| {
            Problem::Usage(format!(
                "`{text}` is {} bytes long, an order has room for {COMPUTE_TEXT_BYTES}",
                text.len()
            ))
        })?;
        mailbox::order(self.0, contract::Command::Compute, arguments)
    }

    fn error(&self, text: String) -> Problem {
        Problem::No(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    use sharedmem::Role;
    use sharedmem::device::DeviceInfo;
    use sharedmem::mailbox::{Answer, compute_text};

    use crate::testing::FakeModule;

    /// Carries a command out while a thread plays the monitor. Returns the orders that it was given, too.
    fn play(
        command: &ComputeCommand,
        answers: &[(Answer, &str)],
    ) -> (Result<(), Problem>, Vec<String>) {
        let module = FakeModule::primary();
        let (control, is_over) = (&module.control, AtomicBool::new(false));
        thread::scope(|scope| {
            let monitor = scope.spawn(|| {
                let (mut answers, mut orders) = (answers.iter(), Vec::new());
                while !is_over.load(Ordering::Relaxed) {
                    if let Some((number, _, arguments)) = control.mailbox.request() {
                        let order = ComputeOrder::from_number(arguments[0]).unwrap();
                        let text = compute_text(&arguments);
                        orders.push(format!(
                            "{} {}",
                            order.name(),
                            String::from_utf8_lossy(&text)
                        ));
                        let (answer, text) =
                            answers.next().unwrap_or(&(Answer::Refused, "no more"));
                        control.mailbox.reply(number, *answer, text);
                    }
                    thread::yield_now();
                }
                orders
            });
            let outcome = run(&module, command);
            is_over.store(true, Ordering::Relaxed);
            (outcome, monitor.join().unwrap())
        })
    }

    #[test]
    fn a_job_is_begun_and_its_exit_code_is_that_of_the_program() {
        let command = ComputeCommand::Run {
            slice: "cg".into(),
            arguments: vec!["cg".into(), "n=8".into()],
            wait: true,
        };
        let finished = "cg finished, entry 1, step 9 committed, exit code 7";
        let answers = ["0 0 ", "cg running", finished, "0 0 "].map(|it| (Answer::Accepted, it));
        let (outcome, orders) = play(&command, &answers);
        assert_eq!(outcome.unwrap_err().exit_code(), 7);
        assert_eq!(
            orders,
            ["log cg 0", "start cg cg n=8", "status cg", "log cg 0"]
        );
    }

    #[test]
    fn a_result_becomes_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x");
        let command = ComputeCommand::Result {
            slice: "cg".into(),
            region: "x".into(),
            file: Some(file.clone()),
        };
        let answers = ["7 3 0102", "7 3 03"].map(|it| (Answer::Accepted, it));
        let (outcome, orders) = play(&command, &answers);
        assert!(outcome.is_ok());
        assert_eq!(orders, ["result cg x 0", "result cg x 2"]);
        assert_eq!(fs::read(file).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_ordered_says_why() {
        let stop = |slice: &str| ComputeCommand::Stop {
            slice: slice.into(),
        };
        let (outcome, _) = play(&stop("md"), &[(Answer::Refused, "there is no slice `md`")]);
        assert!(
            outcome
                .unwrap_err()
                .to_string()
                .contains("there is no slice `md`")
        );
        let (outcome, orders) = play(&stop(&"x".repeat(57)), &[]);
        assert_eq!((outcome.unwrap_err().exit_code(), orders.len()), (2, 0));
        let backup = FakeModule::of(&[DeviceInfo {
            role: Role::Backup.number() as u32,
            ..DeviceInfo::default()
        }]);
        let refused = run(&backup, &stop("cg")).unwrap_err();
        assert!(refused.to_string().starts_with("only the primary"));
    }
}
