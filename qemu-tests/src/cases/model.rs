//! The deterministic model: a takeover with exact counts, the same twice.

use std::time::Duration;

use sharedmem::cause::Cause;
use sharedmem::event;

use crate::suite::{Test, TestContext, Verdict};
use harness::console::Logged;
use harness::machine::{Accel, MachineSpec};
use harness::model::{ModelRun, Scenario};
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    let mut twice = Test::new(
        "model-twice",
        "two runs of a takeover in the model are the same to the bit, with exact counts",
        "",
        twice,
    );
    twice.machine = MachineSpec::new("model-twice", Accel::Model);
    twice.limit = Duration::from_secs(180);
    vec![twice]
}

const KEYS: u64 = 1000;

fn twice(context: &TestContext<'_>) -> Verdict {
    let run = || -> Result<ModelRun, Problem> {
        let scenario = Scenario::new(&context.spec.name, KEYS, "DEBUG PANIC", context.qemu);
        scenario.run(context.images, &context.log, context.time_left())
    };
    let (first, second) = (run()?, run()?);
    for (index, (one, other)) in first.console.iter().zip(&second.console).enumerate() {
        require_equal(
            &format!("line {} of the second console", index + 1),
            other,
            one,
        )?;
    }
    require_equal(
        "lines of the second console",
        second.console.len(),
        first.console.len(),
    )?;
    require_equal("the second takeover", &second.takeover, &first.takeover)?;
    let takeover = &first.takeover;
    require_equal("the cause", takeover.event.cause, Some(Cause::Panic))?;
    require_equal("rounds of the fence", takeover.fence_rounds(), 1)?;
    // The command that killed, and the canary or the digest if one was due just then.
    let records = takeover.event.records;
    require((1..=2).contains(&records), || {
        format!("{records} records were replayed")
    })?;
    require_equal("findings", takeover.event.findings, 0)?;
    let takeovers = first
        .console
        .iter()
        .filter_map(|line| Logged::<event::Takeover>::parse(line))
        .count();
    require_equal("takeovers", takeovers, 1)?;
    Ok(second.closing_word)
}
