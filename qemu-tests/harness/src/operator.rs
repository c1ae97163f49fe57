//! What the operator of a native machine does over the network: look, load another image as the backup, switch to it,
//! fall back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sharedmem::mailbox::Answer;

use crate::client::{self, PATIENT};
use crate::problem::{Problem, require};

/// Between two requests for the status.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long an answer, or a backup, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a native machine reports of itself.
#[derive(Clone, Debug)]
pub struct MachineStatus(BTreeMap<String, String>);

impl MachineStatus {
    /// Asks the machine at `port`.
    ///
    /// # Errors
    /// It does not answer.
    pub fn of(port: u16) -> Result<Self, Problem> {
        let info: String = client::ask(port, "INFO replication")?;
        let fields = info.lines().filter_map(|line| line.split_once(':'));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.trim_end().to_owned());
        Ok(Self(fields.map(owned).collect()))
    }

    /// Returns a field; empty if the machine does not report it.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Returns a field that is a number; 0 if the machine does not report it.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// Says whether a backup waits that may take over.
    pub fn is_protected(&self) -> bool {
        self.number("protected") == 1
    }

    /// Returns all fields, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|(name, value)| format!("{name:28} {value}"))
    }
}

/// Asks until `is_there` holds.
///
/// # Errors
/// It never does; `what` was awaited.
pub fn wait_until(
    port: u16,
    what: &str,
    is_there: impl Fn(&MachineStatus) -> bool,
) -> Result<MachineStatus, Problem> {
    let deadline = Instant::now() + LIMIT;
    let mut last = None;
    while Instant::now() < deadline {
        // A machine that changes hands may be silent for a while.
        match MachineStatus::of(port) {
            Ok(status) if is_there(&status) => return Ok(status),
            Ok(status) => last = Some(status),
            Err(problem) => drop(problem),
        }
        thread::sleep(POLL_INTERVAL);
    }
    Err(Problem::TimedOut(format!(
        "{what} within {LIMIT:.0?}; the machine last said {last:?}"
    )))
}

/// Asks the monitor for something, and waits for its answer.
///
/// # Errors
/// It refuses, and says why; or does not answer.
pub fn request(port: u16, words: &[&[u8]]) -> Result<(), Problem> {
    request_of(port, "UNDERSTUDY", words).map(drop)
}

/// Gives the monitor an order about compute slices. Returns its answer: what the slices do.
///
/// # Errors
/// As [`request`].
pub fn compute(port: u16, words: &[&[u8]]) -> Result<String, Problem> {
    request_of(port, "COMPUTE", words)
}

fn request_of(port: u16, command: &str, words: &[&[u8]]) -> Result<String, Problem> {
    let before = MachineStatus::of(port)?;
    let mut command = redis::cmd(command);
    for word in words {
        command.arg(*word);
    }
    let name = String::from_utf8_lossy(words.first().copied().unwrap_or_default()).into_owned();
    client::connect(port, PATIENT)
        .and_then(|mut connection| command.query::<String>(&mut connection))
        .map_err(|error| Problem::Failed(format!("{name}: {error}")))?;
    let is_answered = |status: &MachineStatus| {
        status.number("operator_requests") > before.number("operator_requests")
            && !status.text("operator_answer").is_empty()
    };
    let status = wait_until(port, "no answer", is_answered)?;
    let (answer, reason) = (
        status.text("operator_answer"),
        status.text("operator_reason"),
    );
    require(answer == Answer::Accepted.name(), || {
        format!("{name}: {answer}: {reason}")
    })?;
    Ok(reason.to_owned())
}

/// Loads `image` as the backup and waits until some backup is ready. Returns the version of the one that is.
///
/// # Errors
/// The image is refused, or no backup gets ready.
pub fn load(port: u16, image: &[u8]) -> Result<String, Problem> {
    request(port, &[b"LOAD", image])?;
    // The status is up to 10 ms old, and the backup that was there before may still be in it.
    thread::sleep(POLL_INTERVAL);
    let status = wait_until(port, "no backup is ready", MachineStatus::is_protected)?;
    Ok(status.text("backup_version").to_owned())
}

/// Loads the image in a file, as [`load`] does.
///
/// # Errors
/// As [`load`], or the file cannot be read.
pub fn load_file(port: u16, path: &Path) -> Result<String, Problem> {
    let image =
        fs::read(path).map_err(|error| Problem::Failed(format!("{}: {error}", path.display())))?;
    load(port, &image)
}

/// Switches to the backup, and waits until it serves. Returns what it says.
///
/// # Errors
/// There is no backup, or nobody serves then.
pub fn switch(port: u16) -> Result<MachineStatus, Problem> {
    let epoch = MachineStatus::of(port)?.number("epoch");
    let answer: String = client::ask(port, "FAILOVER")?;
    require(answer == "OK", || format!("FAILOVER: {answer}"))?;
    wait_until(port, "nobody serves", |status| {
        status.number("epoch") > epoch
    })
}
