//! The machine arms itself again.

use std::time::Duration;

use super::{Stage, Test, Verdict};
use crate::rearm;

/// Takeovers in a row; a campaign has as many as one likes.
const TAKEOVERS: u64 = 20;
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
    vec![in_a_row]
}

fn in_a_row(stage: &Stage<'_>) -> Verdict {
    let machine = stage.boot()?;
    rearm::in_a_row(&machine, TAKEOVERS, |_| Ok(()))?;
    machine.closing_word()
}
