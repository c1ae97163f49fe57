//! The process of a machine: QEMU, whose output is read, and which is killed with its owner or when its time is up.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::launch::Launch;
use crate::problem::Problem;
use crate::transcript::{MachineEnd, Stream, Transcript};

const NO_PANIC: &str = "no thread panics while it holds the process";

/// A running process. Dropping it kills it; so does the death of the thread that started it.
pub struct Process {
    child: Arc<Mutex<Child>>,
    stdin: Mutex<Option<ChildStdin>>,
    threads: Vec<JoinHandle<()>>,
    watchdog: Option<Sender<()>>,
}

impl Process {
    /// Starts `program`. Returns it with what it prints.
    ///
    /// # Errors
    /// The program is missing, or the log cannot be written.
    pub fn spawn(
        program: &str,
        arguments: &[String],
        launch: &Launch,
    ) -> Result<(Self, Transcript), Problem> {
        let console =
            Transcript::logged(&launch.log, &format!("# {program} {}", quoted(arguments)))?;
        // The kernel kills the machine when the thread that started it is gone, however that came about.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Problem::of_host("setpriv (of util-linux)", error))?;
        let mut threads = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            threads.push(console.follow(stdout, Stream::Console, launch.is_echoed));
        }
        if let Some(stderr) = child.stderr.take() {
            threads.push(console.follow(stderr, Stream::Qemu, launch.is_echoed));
        }
        let stdin = Mutex::new(child.stdin.take());
        let child = Arc::new(Mutex::new(child));
        let (watchdog, guard) = watch(child.clone(), console.clone(), launch.limit);
        threads.push(guard);
        let process = Self {
            child,
            stdin,
            threads,
            watchdog: Some(watchdog),
        };
        Ok((process, console))
    }

    /// Types a line on standard input, which is the serial console.
    ///
    /// # Errors
    /// The process is gone.
    pub fn type_line(&self, line: &str) -> Result<(), Problem> {
        let mut stdin = self.stdin.lock().expect("no thread panics while it types");
        let written = stdin
            .as_mut()
            .map(|stdin| writeln!(stdin, "{line}").and_then(|()| stdin.flush()));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Problem::of_host("serial console", error)),
            None => Err(Problem::BrokenSetUp("the serial console is closed".into())),
        }
    }

    /// Sends the process a signal, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn signal(&self, signal: &str) -> Result<(), Problem> {
        let id = self.child.lock().expect(NO_PANIC).id();
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {id}")])
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(Problem::of_host(
                "kill",
                format!("-{signal} {id}: {other:?}"),
            )),
        }
    }

    /// Kills the process now.
    pub fn kill(&self) {
        kill(&self.child);
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_end(&self, limit: Duration) -> Result<ExitStatus, Problem> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.child.lock().expect(NO_PANIC).try_wait();
            match status.map_err(|error| Problem::of_host("waiting for QEMU", error))? {
                Some(status) => return Ok(status),
                None if Instant::now() >= deadline => {
                    return Err(Problem::TimedOut(format!("QEMU runs on after {limit:.1?}")));
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(&self.child);
        self.watchdog = None;
        for thread in self.threads.drain(..) {
            // A reader that failed has nothing more to report.
            let _ = thread.join();
        }
    }
}

/// Kills the process when its time is up, unless the sender is dropped before.
fn watch(
    child: Arc<Mutex<Child>>,
    console: Transcript,
    limit: Duration,
) -> (Sender<()>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let guard = thread::spawn(move || {
        if receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            console.end(MachineEnd::TimeLimit);
            kill(&child);
        }
    });
    (sender, guard)
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().expect(NO_PANIC);
    // Both fail only if it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Quotes arguments so that one can paste them into a shell.
pub(super) fn quoted(arguments: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:".contains(c);
    let words = arguments
        .iter()
        .map(|argument| match argument.chars().all(is_plain) {
            true => argument.clone(),
            false => format!("'{}'", argument.replace('\'', r"'\''")),
        });
    words.collect::<Vec<_>>().join(" ")
}
