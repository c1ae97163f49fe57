//! Faults from outside: a debugger damages memory, registers or CPUs of a machine at work, and clients with ledgers say
//! what it came to.
//!
//! Each fault is one entry in the list of its subject: a name, what is done, the outcomes that are right, and a
//! function. How to add one is in `docs/how-to/fault.md`.

mod checksums;
mod constant;
mod cores;
mod journal;
mod log;
mod monitor;
mod outcome;
mod report;
mod serving;
mod trial;
mod values;
mod words;

use std::time::Duration;

use harness::images::Images;
use harness::machine::QemuMachine;
use harness::problem::Problem;

pub use outcome::Outcome;
pub use report::{FaultReport, Report};

/// How long a machine is watched after most faults.
const WATCHED: Duration = Duration::from_secs(3);

/// One fault.
pub struct Fault {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is done.
    pub doc: &'static str,
    /// The outcomes that are right.
    pub expected: &'static [Outcome],
    /// From the fault to the forced death, at least, and from there to the check.
    watched: Duration,
    /// Does it, to a machine that serves and is protected.
    strike: fn(&QemuMachine) -> Result<(), Problem>,
}

impl Fault {
    /// Describes a fault.
    const fn new(
        name: &'static str,
        doc: &'static str,
        expected: &'static [Outcome],
        strike: fn(&QemuMachine) -> Result<(), Problem>,
    ) -> Self {
        Self {
            name,
            doc,
            expected,
            watched: WATCHED,
            strike,
        }
    }

    /// Gives the machine another time to find the fault, where the promise names one.
    const fn watched_for(mut self, watched: Duration) -> Self {
        self.watched = watched;
        self
    }
}

/// Returns all faults, by the kinds of the first campaign.
pub fn all() -> Vec<Fault> {
    let subjects = [
        journal::faults(),
        serving::faults(),
        monitor::faults(),
        constant::faults(),
        words::faults(),
        values::faults(),
        checksums::faults(),
        log::faults(),
        cores::faults(),
    ];
    subjects.into_iter().flatten().collect()
}

/// Strikes with each of `faults`, each on a machine of its own, and calls `each` with what it came to.
pub fn run(faults: &[Fault], images: &Images, mut each: impl FnMut(&FaultReport)) -> Report {
    let reports = faults.iter().map(|fault| {
        let report = FaultReport::of(fault, trial::run(fault, images));
        each(&report);
        report
    });
    Report {
        faults: reports.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_an_outcome_that_is_right() {
        let faults = all();
        let names: HashSet<&str> = faults.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), faults.len());
        for fault in faults {
            assert!(
                !fault.expected.is_empty() && !fault.doc.is_empty(),
                "{}",
                fault.name
            );
            let wrong = [Outcome::Hung, Outcome::LostData, Outcome::Unprotected];
            assert!(
                !wrong.iter().any(|it| fault.expected.contains(it)),
                "{}",
                fault.name
            );
        }
    }
}
