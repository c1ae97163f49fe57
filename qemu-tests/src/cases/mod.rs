//! The tests, by subject.

mod backup;
mod boot;
mod clients;
mod connections;
mod deaths;
mod images;
mod instants;
mod iso;
mod journal;
mod linux;
mod mixed;
mod model;
mod rearm;
mod refusals;
mod reset;
mod upgrade;

use crate::suite::{Test, audit};
use harness::client::{self, IMPATIENT};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require_equal};
use harness::timeline_report::TimelineReport;
use harness::writer::KeyWriter;

/// All tests, in the order in which they run.
pub fn all() -> Vec<Test> {
    let subjects = [
        boot::tests(),
        deaths::tests(),
        images::tests(),
        journal::tests(),
        backup::tests(),
        clients::tests(),
        connections::tests(),
        rearm::tests(),
        instants::tests(),
        reset::tests(),
        upgrade::tests(),
        refusals::tests(),
        iso::tests(),
        model::tests(),
        linux::tests(),
        mixed::tests(),
    ];
    subjects.into_iter().flatten().collect()
}

/// Writes to be acknowledged before and after whatever happens.
const WRITES: u64 = 300;

/// Lets a client write, injects a fault, and checks that the takeover was for `cause`, and nothing acknowledged lost.
fn die_and_check(
    machine: &QemuMachine,
    command: &str,
    cause: &str,
) -> Result<TimelineReport, Problem> {
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, machine.time_left())?;
    client::inject(port, command)?;
    let takeover = machine.wait_takeover(2)?;
    writer
        .wait_more(WRITES, machine.time_left())
        .map_err(|problem| problem.while_doing("writing on after the takeover"))?;
    audit(port, &writer.finish()?)?;
    require_equal("the takeover's cause", takeover.cause.as_str(), cause)?;
    require_equal(
        "number of takeovers",
        machine.console().events("takeover").len(),
        1,
    )?;
    takeover.with_first_reply(&machine.wait_epoch("first-reply", 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_test_has_a_name_of_its_own_and_a_boot_line_that_parses() {
        let tests = all();
        let names: HashSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names.len(), tests.len());
        for test in &tests {
            assert!(
                test.name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "{}",
                test.name
            );
            assert!(!test.doc.is_empty());
            partition::Options::parse(&test.machine.boot_line())
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", test.name));
        }
    }
}
