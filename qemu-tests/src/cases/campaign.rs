//! A few runs of the campaign of random faults.

use std::time::Duration;

use crate::suite::{Test, TestContext, Verdict};
use adversary::campaign::{self, Record, Report};
use harness::problem::require;

/// Time for all of them, on a busy host.
const LIMIT: Duration = Duration::from_secs(300);
/// One class of each subject. The first and the second always end a primary.
const CLASSES: [&str; 6] = [
    "allocation-failure",
    "card-registers",
    "text",
    "page-tables",
    "control-block",
    "backup",
];
/// Seed of the campaign that these runs are the first of.
const SEED: u64 = 1;

pub(super) fn tests() -> Vec<Test> {
    let mut quick = Test::new(
        "campaign-quick",
        "a fault of each of six classes, at random: nothing acknowledged is lost, nothing hangs, there is one owner",
        "",
        quick,
    );
    quick.limit = LIMIT;
    vec![quick]
}

fn quick(context: &TestContext<'_>) -> Verdict {
    let classes = campaign::all().into_iter();
    let chosen = classes.filter(|class| CLASSES.contains(&class.name));
    let records: Vec<Record> = chosen
        .map(|class| {
            let seed = campaign::seed_of(SEED, class.name, 0);
            campaign::run(&class, seed, context.images)
        })
        .collect();
    require(records.len() == CLASSES.len(), || "a class is gone".into())?;
    let report = Report::of(&records);
    for record in &records {
        let is_survived = record
            .outcome
            .as_ref()
            .is_ok_and(|outcome| outcome.is_survived());
        require(is_survived, || format!("{}\n{report}", record.json()))?;
    }
    require(report.is_passed() && report.ends() >= 2, || {
        report.to_string()
    })?;
    // Each machine was looked at by itself. This one shows that the images are well without a fault, too.
    context.boot()?.closing_word()
}
