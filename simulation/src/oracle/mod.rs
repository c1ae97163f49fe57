//! The oracle: what is true whatever the kernels believe, and the laws that must hold at every step.

mod damage;
mod deadlines;
mod ownership;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

pub use damage::Damage;
pub use deadlines::Deadlines;
pub use ownership::Ownership;

use crate::machine::core::Core;
use crate::machine::memory::{Memory, Part};
use crate::machine::scheduler::Scheduler;

/// A law holds, or what is wrong, in words.
pub type Law = Result<(), String>;

/// Everything that is known of a run, and the first law that it broke.
#[derive(Default)]
pub struct Oracle {
    /// Who owns the machine.
    pub ownership: Ownership,
    /// What is damaged, and whether somebody named it.
    pub damage: Damage,
    /// When a death must be noticed and a takeover must end.
    pub deadlines: Deadlines,
    /// Owners that ceased to work.
    pub deaths: Cell<u64>,
    /// Resets of the machine.
    pub resets: Cell<u64>,
    /// Every value of the shared count that a client was told.
    shared_counts: RefCell<BTreeSet<u64>>,
    violation: RefCell<Option<String>>,
}

impl Oracle {
    /// Records what a law says. The first violation counts.
    pub fn check(&self, law: Law) {
        if let Err(violation) = law {
            self.broken(violation);
        }
    }

    /// Records that a law is broken. The first time counts.
    pub fn broken(&self, violation: impl Into<String>) {
        self.violation.borrow_mut().get_or_insert(violation.into());
    }

    /// Returns the law that was broken, if one was.
    pub fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// Records that a client misses something or is told something else. That breaks a law, unless the journal was damaged and
    /// somebody has named the damage.
    pub fn missed(&self, what: impl Into<String>) {
        self.check(self.damage.excuses(what.into()));
    }

    /// Checks a store that `core` is about to make; `value`, unless it is an exchange, whose outcome is still to come.
    pub fn before_store(
        &self,
        scheduler: &Scheduler,
        memory: &Memory,
        core: &Core,
        part: Part,
        value: Option<u64>,
    ) {
        match (part, value) {
            (Part::Applying, Some(value @ 1..)) => {
                self.check(self.damage.applies(memory, value & !7));
            }
            (Part::Ring(index), _) => self.damage.writes(index),
            _ => {}
        }
        self.check(
            self.ownership
                .before_store(scheduler, memory, core, part, value),
        );
    }

    /// Records that the owner ceased to work. If a backup was ready, that must be noticed within `limit_ns`.
    pub fn owner_died(&self, now_ns: u64, limit_ns: Option<u64>) {
        self.deaths.set(self.deaths.get() + 1);
        let epoch = self.ownership.epoch.get();
        self.deadlines.begin(now_ns, limit_ns, epoch);
    }

    /// Checks, at the end, that the count that all clients share has no gap.
    pub fn counted_all(&self) -> Law {
        let counts = self.shared_counts.borrow();
        let (total, last) = (counts.len() as u64, counts.last().copied().unwrap_or(0));
        match total == last || self.damage.is_done.get() {
            true => Ok(()),
            false => Err(format!(
                "the shared count stands at {last}, and was told {total} times"
            )),
        }
    }

    /// Records a value of the shared count that a client was told. No value may be told twice.
    pub fn counts(&self, count: u64) -> Law {
        match self.shared_counts.borrow_mut().insert(count) {
            true => Ok(()),
            false => Err(format!("the shared count {count} was told twice")),
        }
    }

    /// Records a reset of the machine: nobody owns it.
    pub fn reset(&self) {
        self.ownership.reset();
        self.deadlines.forget();
        self.resets.set(self.resets.get() + 1);
    }
}
