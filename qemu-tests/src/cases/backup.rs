//! The backup's death never hurts the primary.

use sharedmem::event;

use super::survival::WRITES;
use crate::suite::{Test, TestContext, Verdict, audit};
use harness::client::{self, IMPATIENT};
use harness::problem::require_equal;
use harness::writer::KeyWriter;

pub(super) fn tests() -> Vec<Test> {
    [
        ("backup-panics", "DEBUG BACKUP-PANIC"),
        ("backup-hangs", "DEBUG BACKUP-HANG"),
    ]
    .map(|(name, command)| {
        Test::new(
            name,
            "the backup dies: the primary serves on, says that it is unprotected, and loses \
                             nothing",
            "debug=1",
            move |context| survive_backup(context, command),
        )
    })
    .into_iter()
    .chain([Test::new(
        "backup-busy",
        "the primary dies while its backup is amid a long piece of work: that is found at once, not after the work",
        "debug=1",
        die_beside_busy_backup,
    )])
    .collect()
}

/// Lets the primary panic while its backup takes long: it hangs, so that it is given up after a second.
fn die_beside_busy_backup(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    client::ask::<String>(port, "DEBUG BACKUP-HANG")?;
    client::inject(port, "DEBUG PANIC")?;
    // Before the backup was given up, that is: a machine without a backup has none to begin.
    machine.wait_event::<event::TakeoverBegan>()?;
    let losses = machine.console().events::<event::BackupLost>().len();
    require_equal("backups lost before the takeover began", losses, 0)?;
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    machine.closing_word()
}

fn survive_backup(context: &TestContext<'_>, command: &str) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    require_equal(
        "the answer",
        client::ask::<String>(port, command)?.as_str(),
        "OK",
    )?;
    let unprotected = machine.wait_logged::<event::Unprotected>()?;
    require_equal("who says so", unprotected.who.as_str(), "a")?;
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    require_equal(
        "number of takeovers",
        machine.console().events::<event::Takeover>().len(),
        0,
    )?;
    machine.closing_word()
}
