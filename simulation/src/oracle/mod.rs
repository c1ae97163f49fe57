//! The oracle: what is true whatever the kernels believe, and the laws that must hold at every step.

mod damage;
mod deadlines;
mod primary;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

pub use damage::Damage;
pub use deadlines::Deadlines;
pub use primary::Primary;
pub use values::{KEY, VALUE, Values};

use crate::machine::core::Core;
use crate::machine::memory::{Memory, Part};
use crate::machine::scheduler::Scheduler;

/// Whether a law holds; if not, what is wrong, in words.
pub type Law = Result<(), String>;

/// The truth about a run, and the first law that it broke.
#[derive(Default)]
pub struct Oracle {
    /// Who is the primary.
    pub primary: Primary,
    /// What is damaged.
    pub damage: Damage,
    /// When a death must be noticed, and when a takeover must end.
    pub deadlines: Deadlines,
    /// Which values changed by themselves.
    pub values: Values,
    /// Number of primaries that stopped working.
    pub deaths: Cell<u64>,
    /// Number of resets.
    pub resets: Cell<u64>,
    /// Every value of the shared count that a client received.
    shared_counts: RefCell<BTreeSet<u64>>,
    violation: RefCell<Option<String>>,
}

impl Oracle {
    /// Records a violation, if the law does not hold. The first one counts.
    pub fn check(&self, law: Law) {
        if let Err(violation) = law {
            self.broken(violation);
        }
    }

    /// Records a violation. The first one counts.
    pub fn broken(&self, violation: impl Into<String>) {
        self.violation.borrow_mut().get_or_insert(violation.into());
    }

    /// Returns the law that was broken first, if one was.
    pub fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// Records that a client misses something or received something wrong. That breaks a law, unless the journal was
    /// damaged and somebody named the damage.
    pub fn missed(&self, what: impl Into<String>) {
        self.check(self.damage.excuses(what.into()));
    }

    /// Checks a store that `core` is about to make. An exchange has no `value` yet.
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
            (Part::Epoch, to) if to != Some(self.primary.epoch.get()) => {
                self.damage.loses_primary(memory);
            }
            _ => {}
        }
        self.check(
            self.primary
                .before_store(scheduler, memory, core, part, value),
        );
    }

    /// Records that the primary stopped working. With a limit, that must be noticed in time.
    pub fn primary_died(&self, now_ns: u64, limit_ns: Option<u64>) {
        self.deaths.set(self.deaths.get() + 1);
        let epoch = self.primary.epoch.get();
        self.deadlines.begin(now_ns, limit_ns, epoch);
    }

    /// Checks at the end that the shared count has no gap.
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

    /// Records a value of the shared count that a client received. No value may come twice.
    pub fn counts(&self, count: u64) -> Law {
        match self.shared_counts.borrow_mut().insert(count) {
            true => Ok(()),
            false => Err(format!("the shared count {count} was told twice")),
        }
    }

    /// Records a reset of the machine: there is no primary.
    pub fn reset(&self, memory: &Memory) {
        self.damage.loses_primary(memory);
        self.primary.reset();
        self.deadlines.forget();
        self.values.forget();
        self.resets.set(self.resets.get() + 1);
    }
}
