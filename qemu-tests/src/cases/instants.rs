//! Deaths at any instruction.

use std::time::Duration;

use crate::campaigns::instants;
use crate::suite::{Test, TestContext, Verdict};
use harness::problem::require;

/// Deaths in a row; a campaign has as many as it is told.
const KILLS: u64 = 12;
/// The seed that chooses them.
const SEED: u64 = 1;
/// Time for a test with so many deaths.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn tests() -> Vec<Test> {
    let mut in_a_row = Test::new(
        "instants-12",
        "12 deaths at seeded instants, in the middle of whatever the primary does: clients that never \
         reconnect lose nothing, and their checksums agree",
        instants::OPTIONS,
        in_a_row,
    );
    in_a_row.limit = LIMIT;
    in_a_row.machine.cpus = instants::CPUS;
    vec![in_a_row]
}

fn in_a_row(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let tally = instants::in_a_row(&machine, KILLS, SEED, |_, _| {})?;
    require(tally.checked > 0 && tally.differ == 0, || tally.to_string())?;
    machine.closing_word()
}
