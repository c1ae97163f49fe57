//! Sends requests to the monitor, and follows its log meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use sharedmem::Control;
use sharedmem::cause::BackupLoss;
use sharedmem::mailbox::{ARGUMENTS, Answer, Command};
use sharedmem::protection::ProtectionState;

use crate::log;
use crate::module::Module;
use crate::problem::Problem;

/// How long to wait for an answer. The monitor looks into its mailbox every few milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How often to look for the answer.
const ANSWER_POLL: Duration = Duration::from_millis(2);

/// How often to look whether the backup is ready.
const BACKUP_POLL: Duration = Duration::from_millis(50);

/// The outcome of loading a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// It protects this kernel.
    Armed,
    /// The backup was lost.
    Lost(BackupLoss),
    /// It has not ended within the limit.
    GoesOn,
}

/// Sends a request to the monitor, and waits for its answer. Returns the text of the answer. Programs take turns: the
/// mailbox holds one request.
///
/// # Errors
/// Returns an error if the monitor refuses, or does not answer.
pub fn order(
    module: &dyn Module,
    command: Command,
    arguments: [u64; ARGUMENTS],
) -> Result<String, Problem> {
    let _turn = module.turn()?;
    let mailbox = &module.control().mailbox;
    let number = mailbox.ask(command, arguments);
    let until = Instant::now() + ANSWER_LIMIT;
    loop {
        match mailbox.answer(number) {
            Some((Answer::Accepted, text)) => return Ok(log::printable(text.as_str().as_bytes())),
            Some((Answer::Refused, text)) => {
                let text = log::printable(text.as_str().as_bytes());
                return Err(Problem::No(format!("the monitor refuses: {text}")));
            }
            None if Instant::now() > until => {
                return Err(Problem::No("the monitor does not answer".into()));
            }
            None => thread::sleep(ANSWER_POLL),
        }
    }
}

/// The state before a backup was requested.
pub struct Before {
    losses: u64,
    log: Vec<u8>,
}

impl Before {
    /// Reads the present state.
    pub fn of(control: &Control) -> Self {
        Self {
            losses: control.backup.losses(),
            log: log::tail(&control.monitor_log),
        }
    }
}

/// Waits until the loading of a backup ends. Meanwhile, passes new lines of the monitor's log to `progress`.
pub fn await_backup(
    control: &Control,
    mut before: Before,
    limit: Duration,
    progress: &mut dyn FnMut(&str),
) -> Loading {
    let until = Instant::now() + limit;
    loop {
        // Read before the loss, because a backup may be armed and then lost: it was armed.
        let is_armed = control.protection.state() == ProtectionState::Armed;
        let lost = control
            .backup
            .last_loss()
            .filter(|lost| lost.count != before.losses);
        let now = log::tail(&control.monitor_log);
        for line in log::printable(log::news(&before.log, &now)).lines() {
            progress(line);
        }
        if is_armed {
            return Loading::Armed;
        }
        if let Some(lost) = lost {
            return Loading::Lost(lost.loss);
        }
        if Instant::now() > until {
            return Loading::GoesOn;
        }
        before.log = now;
        thread::sleep(BACKUP_POLL);
    }
}
