//! The quick attacks of the campaign `hostile`.

use std::time::Duration;

use crate::suite::{Test, TestContext, Verdict};
use adversary::hostile::{self, Attack};
use harness::problem::require;

/// Time for all of them, on a busy host.
const LIMIT: Duration = Duration::from_secs(240);

pub(super) fn tests() -> Vec<Test> {
    let mut quick = Test::new(
        "hostile-quick",
        "after each quick attack by a client the machine serves, is protected, has given the memory back, and nobody \
         took over",
        "",
        quick,
    );
    quick.limit = LIMIT;
    vec![quick]
}

fn quick(context: &TestContext<'_>) -> Verdict {
    let attacks: Vec<Attack> = hostile::all()
        .into_iter()
        .filter(|attack| attack.is_quick)
        .collect();
    let mut harmed = Vec::new();
    let report = hostile::run(&attacks, context.images, |attack| {
        if !attack.is_held() {
            harmed.push(attack.to_string());
        }
    });
    require(report.is_passed(), || harmed.join("; "))?;
    // Each machine was looked at by itself. This one shows that the images are well without an attack, too.
    context.boot()?.closing_word()
}
