//! Asking the monitor for something, and following what it says of it.

use std::thread;
use std::time::{Duration, Instant};

use sharedmem::Control;
use sharedmem::mailbox::{ARGUMENTS, Answer, Command};
use sharedmem::protection::ProtectionState;
use takeover::BackupLoss;

use crate::log;
use crate::problem::Problem;

/// The monitor looks into its mailbox every few milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How often the answer is looked for.
const ANSWER_POLL: Duration = Duration::from_millis(2);

/// How often it is looked whether the backup is ready.
const BACKUP_POLL: Duration = Duration::from_millis(50);

/// How the loading of a backup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// It protects this kernel.
    Armed,
    /// It is no more.
    Lost(BackupLoss),
    /// It has not ended: nothing more was heard of it within the limit.
    GoesOn,
}

/// Asks the monitor for something, and waits for its answer.
///
/// # Errors
/// It refuses, or does not answer.
pub fn order(
    control: &Control,
    command: Command,
    arguments: [u64; ARGUMENTS],
) -> Result<(), Problem> {
    let number = control.mailbox.ask(command, arguments);
    let until = Instant::now() + ANSWER_LIMIT;
    loop {
        match control.mailbox.answer(number) {
            Some((Answer::Accepted, _)) => return Ok(()),
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

/// Waits for the end of a loading that was accepted. `before` is the end of the monitor's log before; what it adds is passed to `progress`.
pub fn await_backup(
    control: &Control,
    before: Vec<u8>,
    limit: Duration,
    progress: &mut dyn FnMut(&str),
) -> Loading {
    let until = Instant::now() + limit;
    let mut before = before;
    loop {
        // Read before the log: a loss that is told after this is of this backup.
        let is_armed = control.protection.state() == ProtectionState::Armed;
        let now = log::tail(&control.monitor_log);
        let news = log::news(&before, &now);
        for line in log::printable(news).lines() {
            progress(line);
        }
        let loss = log::loss_in(news);
        if is_armed {
            return Loading::Armed;
        }
        if let Some(loss) = loss {
            return Loading::Lost(loss);
        }
        if Instant::now() > until {
            return Loading::GoesOn;
        }
        before = now;
        thread::sleep(BACKUP_POLL);
    }
}
