//! The machine arms itself again.

use std::time::Duration;

use super::{Stage, Test, Verdict};
use crate::client;
use crate::problem::require_equal;
use crate::rearm;

/// Takeovers in a row; a campaign has as many as one likes.
const TAKEOVERS: u64 = 20;
/// Keys that are there: telling them takes a while.
const KEYS: u64 = 40_000;
/// Time for a test with so many deaths.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn tests() -> Vec<Test> {
    let mut in_a_row = Test::new(
        "rearm-20",
        "20 takeovers in a row, each by a backup that was loaded while the last primary served: no connection and no key is lost",
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
            "rearm-too-late",
            "a primary that dies before its new backup was told everything: said, and nobody takes over with less",
            rearm::OPTIONS,
            too_late,
        ),
    ]
}

fn backup_panics(stage: &Stage<'_>) -> Verdict {
    let machine = stage.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    client::inject(port, "DEBUG BACKUP-PANIC")?;
    let lost = |line: &str| line.contains("it crashed on the seat").then_some(());
    machine
        .console()
        .wait_for("the loss", machine.time_left(), lost)?;
    machine
        .console()
        .wait_for_event("filling", machine.time_left(), |_| true)?;
    rearm::wait_protected(&machine, port)?;
    let digest: String = client::ask(port, "DEBUG DIGEST")?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(2)?;
    let successors: String = client::ask(port, "DEBUG DIGEST")?;
    require_equal("the digest", successors, digest)?;
    machine.closing_word()
}

fn too_late(stage: &Stage<'_>) -> Verdict {
    let machine = stage.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    client::inject(port, "DEBUG PANIC")?;
    machine
        .console()
        .wait_for_event("filling", machine.time_left(), |_| true)?;
    client::inject(port, "DEBUG PANIC")?;
    let given_up = |line: &str| {
        line.contains("the primary died before it had told it the state")
            .then_some(())
    };
    machine
        .console()
        .wait_for("the end of the backup", machine.time_left(), given_up)?;
    let dead = |line: &str| line.contains("no backup").then_some(());
    machine
        .console()
        .wait_for("the end of the machine", machine.time_left(), dead)?;
    require_equal(
        "number of takeovers",
        machine.console().events("takeover").len(),
        1,
    )?;
    machine.closing_event("filling")
}

fn in_a_row(stage: &Stage<'_>) -> Verdict {
    let machine = stage.boot()?;
    rearm::in_a_row(&machine, TAKEOVERS, |_| Ok(()))?;
    machine.closing_word()
}
