//! A campaign of faults: one is drawn, made from outside, and what it comes to is told apart without a human.
//!
//! Method: Le and Tamir, "Fault injection in virtualized systems: challenges and applications", IEEE TDSC 12(3), 2015:
//! the injector is outside of the machine. Each run has a seed, from which class, moment, place and value follow;
//! `docs/campaign.md` says more.

mod control;
mod cores;
mod devices;
mod interval;
mod memory;
mod outcome;
mod record;
mod regions;
mod registers;
mod report;
mod software;
mod store;
mod victim;

use std::thread;
use std::time::Duration;

use harness::images::Images;
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

pub use interval::wilson_low;
pub use outcome::Outcome;
pub use record::Record;
pub use report::Report;
pub use store::Store;

use crate::scene::Scene;

/// From the strike to the forced death, and from there to the check.
const OBSERVED: Duration = Duration::from_millis(1500);
/// The strike comes within this time after the clients have begun, in ns.
const MOMENT_NS: u64 = 200_000_000;

/// Whom a class of faults strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The primary: its death is right.
    Primary,
    /// The memory that all share.
    Shared,
    /// The waiting backup, or the monitor: the primary's clients must not notice.
    Others,
    /// The whole machine, which stands still for a while: nobody is dead.
    Machine,
}

/// A class of faults.
pub struct Class {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What is damaged.
    pub doc: &'static str,
    /// Whom it strikes.
    pub target: Target,
    /// Strikes, and says what was hit.
    strike: fn(&QemuMachine, &mut Random) -> Result<String, Problem>,
}

impl Class {
    /// Describes a class of faults in `target`.
    const fn new(
        target: Target,
        name: &'static str,
        doc: &'static str,
        strike: fn(&QemuMachine, &mut Random) -> Result<String, Problem>,
    ) -> Self {
        Self {
            name,
            doc,
            target,
            strike,
        }
    }
}

/// Returns all classes.
pub fn all() -> Vec<Class> {
    let subjects = [
        registers::classes(),
        memory::classes(),
        control::classes(),
        software::classes(),
        regions::classes(),
        devices::classes(),
        cores::classes(),
    ];
    subjects.into_iter().flatten().collect()
}

/// Returns the seed of run `number` of a class. It depends on nothing else, so that one run can be repeated.
pub fn seed_of(campaign_seed: u64, class: &str, number: u64) -> u64 {
    let name = class.bytes().fold(campaign_seed, |seed, byte| {
        Random::new(seed ^ u64::from(byte)).number()
    });
    // A seed is typed by people.
    Random::new(name ^ number).number() >> 24
}

/// Makes one fault of `class` on a machine of its own.
pub fn run(class: &Class, seed: u64, images: &Images) -> Record {
    let mut random = Random::new(seed);
    let mut hit = String::new();
    let observed = Scene::start(&format!("campaign-{}", class.name), images).and_then(|scene| {
        thread::sleep(Duration::from_nanos(random.below(MOMENT_NS)));
        hit = (class.strike)(&scene.machine, &mut random)?;
        scene.observe(OBSERVED)
    });
    Record::of(class, seed, hit, &observed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let classes = all();
        let names: HashSet<&str> = classes.iter().map(|class| class.name).collect();
        assert_eq!(names.len(), classes.len());
        assert!(classes.iter().all(|class| !class.doc.is_empty()));
    }

    #[test]
    fn a_run_has_a_seed_that_depends_on_class_and_number_alone() {
        assert_eq!(seed_of(1, "text", 7), seed_of(1, "text", 7));
        let seeds = [
            (1, "text", 7),
            (1, "text", 8),
            (1, "stack", 7),
            (2, "text", 7),
        ]
        .map(|(seed, class, number)| seed_of(seed, class, number));
        assert_eq!(HashSet::from(seeds).len(), seeds.len());
    }
}
