//! The machine arms itself again.

use std::time::Duration;

use sharedmem::cause::BackupLoss;
use sharedmem::event::{BackupLost, Checkpoint, Filling};

use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict};
use harness::client;
use harness::problem::{require, require_equal};

/// Takeovers in a row; a campaign has as many as it is told.
const TAKEOVERS: u64 = 20;
/// Keys that are there: a checkpoint of them takes a while.
const KEYS: u64 = 40_000;
/// Deaths of primaries that have no backup yet.
const DEATHS: u64 = 6;
/// Time for a test with so many deaths.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn tests() -> Vec<Test> {
    let mut in_a_row = Test::new(
        "rearm-20",
        "20 takeovers in a row, each by a backup that was loaded while the last primary served: no connection \
         and no key is lost",
        rearm::OPTIONS,
        in_a_row,
    );
    in_a_row.limit = LIMIT;
    vec![
        in_a_row,
        Test::new(
            "rearm-backup-panics",
            "a backup that panics is loaded again, beside a primary that never died, and takes over with all there is",
            rearm::OPTIONS,
            backup_panics,
        ),
        Test::new(
            "rearm-amid",
            "a primary that dies while its new backup still gets ready: the backup reads the rest in the \
             journal and takes over with all there is",
            rearm::OPTIONS,
            amid,
        ),
        Test::new(
            "rearm-damaged",
            "a journal with a damaged record: the new primary tells its state anew, and the new backup has \
             exactly that",
            rearm::OPTIONS,
            damaged,
        ),
    ]
}

fn backup_panics(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    // The new backup reads from here on.
    client::inject(port, "DEBUG CHECKPOINT")?;
    machine.wait_event::<Checkpoint>()?;
    client::inject(port, "DEBUG BACKUP-PANIC")?;
    machine.wait_event_where(|lost: &BackupLost| lost.loss == BackupLoss::Crashed)?;
    machine.wait_event::<Filling>()?;
    rearm::wait_protected(&machine, port)?;
    rearm::take_over_whole(&machine, 2)?;
    machine.closing_word()
}

fn damaged(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    client::inject(port, "DEBUG CORRUPT-TAIL")?;
    let takeover = machine.wait_takeover(2)?;
    require(takeover.event.findings > 0, || {
        "the damage was not found".into()
    })?;
    rearm::wait_protected(&machine, port)?;
    let told = machine.console().events::<Checkpoint>().len();
    require(told > 0, || "the state was not told anew".into())?;
    let next = rearm::take_over_whole(&machine, 3)?;
    require_equal("findings", next.event.findings, 0)?;
    machine.closing_word()
}

fn amid(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    let digest: String = client::ask(port, "DEBUG DIGEST")?;
    // At once after each takeover: while the image is loaded, while the backup reads, or just armed.
    for epoch in 2..=DEATHS + 1 {
        client::inject(port, "DEBUG PANIC")?;
        machine.wait_takeover(epoch)?;
    }
    let successors: String = client::ask(port, "DEBUG DIGEST")?;
    require_equal("the digest", successors, digest)?;
    machine.closing_word()
}

fn in_a_row(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    rearm::in_a_row(&machine, TAKEOVERS, |_| Ok(()))?;
    machine.closing_word()
}
