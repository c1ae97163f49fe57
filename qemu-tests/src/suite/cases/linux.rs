//! Linux tenants: one distribution's kernel dies, another goes on.

use std::time::Duration;

use super::super::{Stage, Test, Verdict};
use crate::linux::lives::{self, End};
use crate::linux::packages::Series;
use crate::linux::takeover::{Death, play};
use crate::linux::tenants::Pair;
use crate::problem::require;

/// Two kernels boot one after the other.
const LIMIT: Duration = Duration::from_secs(180);

/// A test may have to share its host.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) fn tests() -> Vec<Test> {
    let cases = [
        (Death::Panic, "panics", Series::V6_12, Series::V6_1),
        (
            Death::Hang,
            "hangs on all CPUs",
            Series::V6_1,
            Series::V6_12,
        ),
    ];
    let test = |(death, does, primary, backup): (Death, &str, Series, Series)| {
        let name = format!("linux-{death}");
        let doc = format!(
            "an unmodified Linux {} {does}; an unmodified Linux {} has its disk, its RAM disk and its address",
            primary.name(),
            backup.name()
        );
        let pair = Pair {
            timeout: TIMEOUT,
            ..Pair::new(&name, primary, backup)
        };
        let mut test = Test::new(name, doc, "", move |stage| take_over(stage, &pair, death));
        test.limit = LIMIT;
        test
    };
    let mut tests: Vec<Test> = cases.map(test).into();
    tests.push(rearming());
    tests
}

/// In one boot: A dies, B hands over to A on purpose, A reboots, and dies again.
fn rearming() -> Test {
    const ENDS: [End; 4] = [
        End::Death(Death::Panic),
        End::Switch,
        End::Reboot,
        End::Death(Death::Hang),
    ];
    let name = "linux-lives";
    let pair = Pair {
        timeout: TIMEOUT,
        append: "failover_rearm=auto".into(),
        ..Pair::new(name, Series::V6_12, Series::V6_1)
    };
    let doc = "two Linuxes in one boot: panic, switchover, reboot, hang; after each the machine is protected again";
    let mut test = Test::new(name, doc, "", move |stage| {
        let left = stage.time_left();
        let (machine, lives) = lives::play(&pair, stage.images, &stage.log, left, &ENDS)?;
        require(lives.audit.is_clean(), || lives.audit.to_string())?;
        machine.closing_event("ready")
    });
    test.limit = LIMIT * 2;
    test
}

fn take_over(stage: &Stage<'_>, pair: &Pair, death: Death) -> Verdict {
    let (machine, outcome) = play(pair, stage.images, &stage.log, stage.time_left(), death)?;
    require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
    machine.closing_event("ready")
}
