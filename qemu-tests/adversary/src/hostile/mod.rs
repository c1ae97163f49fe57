//! Attacks by clients: whatever a client sends, afterwards the machine serves, is protected, has given the memory back,
//! and nobody took over.
//!
//! Each attack is one entry in the list of its subject: a name, what is done, and a function. How to add one is in
//! `docs/how-to/attack.md`.

mod client;
mod connections;
mod frames;
mod hogs;
mod memory;
mod permission;
mod report;
mod trial;
mod wire;
mod work;

use harness::images::Images;
use harness::machine::QemuMachine;
use harness::problem::Problem;

pub use report::{AttackReport, Report};
pub use trial::Observed;

/// One attack.
pub struct Attack {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is done.
    pub doc: &'static str,
    /// What the boot line says beyond the usual.
    pub options: &'static str,
    /// Whether it belongs to the quick set.
    pub is_quick: bool,
    /// Takeovers that it is meant to lead to.
    pub takeovers: u64,
    /// Does it. An error means that somebody else was harmed, or that a refusal is missing.
    strike: fn(&Target<'_>) -> Result<(), Problem>,
}

impl Attack {
    /// Describes an attack on the usual machine, which must not lead to a takeover.
    const fn new(
        name: &'static str,
        doc: &'static str,
        strike: fn(&Target<'_>) -> Result<(), Problem>,
    ) -> Self {
        Self {
            name,
            doc,
            options: "",
            is_quick: false,
            takeovers: 0,
            strike,
        }
    }

    /// Puts the attack into the quick set.
    const fn quick(mut self) -> Self {
        self.is_quick = true;
        self
    }

    /// Adds to the boot line.
    const fn on(mut self, options: &'static str) -> Self {
        self.options = options;
        self
    }
}

/// A machine under attack.
pub struct Target<'a> {
    /// The machine, which serves and is protected.
    pub machine: &'a QemuMachine,
    /// The host's port at which it serves.
    pub port: u16,
    /// The cable, on which frames can be read and forged.
    wire: &'a wire::Wire,
}

/// Returns all attacks.
pub fn all() -> Vec<Attack> {
    let subjects = [
        work::attacks(),
        memory::attacks(),
        hogs::attacks(),
        connections::attacks(),
        permission::attacks(),
        frames::attacks(),
    ];
    subjects.into_iter().flatten().collect()
}

/// Makes each of `attacks`, each on a machine of its own, and calls `each` with what it came to.
pub fn run(attacks: &[Attack], images: &Images, mut each: impl FnMut(&AttackReport)) -> Report {
    let reports = attacks.iter().map(|attack| {
        let report = AttackReport::of(attack, trial::run(attack, images));
        each(&report);
        report
    });
    Report {
        attacks: reports.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_attack_has_a_name_of_its_own_and_a_boot_line_that_parses() {
        let attacks = all();
        let names: HashSet<&str> = attacks.iter().map(|attack| attack.name).collect();
        assert_eq!(names.len(), attacks.len());
        assert!(attacks.len() >= 25, "{} attacks", attacks.len());
        assert!(attacks.iter().filter(|attack| attack.is_quick).count() >= 8);
        for attack in attacks {
            let line = trial::spec(&attack).boot_line();
            partition::Options::parse(&line)
                .unwrap_or_else(|refusal| panic!("{}: {refusal}", attack.name));
        }
    }
}
