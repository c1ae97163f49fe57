//! Faults: they wait for their moment, and strike.

mod strike;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic;

use sharedmem::protection::ProtectionState;

use crate::machine::core::Core;
use crate::machine::memory::Part;
use crate::scenario::Scenario;
use crate::scenario::plan::{HANG_NS, Moment, Plan, Strike};
use crate::world::World;
use strike::strike;

/// Stores to the journal that an owner makes after it has given its backup up and before it dies.
const STORES_AFTER_DROP_MAX: u64 = 20_000;

/// How a call of the backup ends that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// By an exception.
    Crashed,
    /// By the monitor's timer.
    Hung,
}

/// The plans, and what of them waits.
pub struct Faults {
    plans: RefCell<VecDeque<Plan>>,
    /// The plan for the owner that is.
    owner: Cell<Option<Plan>>,
    /// What strikes the backup that waits, with the accesses until then.
    backup: Cell<Option<(u64, Strike)>>,
    /// How long the seat is away before it says next that a backup is ready, in ns.
    arming_pause_ns: Cell<Option<u64>>,
    /// This incarnation falls silent when it has given its backup up.
    dies_at_drop: Cell<Option<u32>>,
}

impl Faults {
    /// Takes the plans of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            plans: RefCell::new(scenario.faults.iter().copied().collect()),
            owner: Cell::new(None),
            backup: Cell::new(None),
            arming_pause_ns: Cell::new(None),
            dies_at_drop: Cell::new(None),
        }
    }

    /// Returns whether nothing more will strike.
    pub fn are_over(&self) -> bool {
        self.plans.borrow().is_empty() && self.owner.get().is_none() && self.backup.get().is_none()
    }

    /// Forgets what has not struck yet.
    pub fn end(&self) {
        self.plans.borrow_mut().clear();
        self.owner.set(None);
        self.backup.set(None);
    }

    /// Makes the next plan for an owner that begins, or for the backup that waits beside it.
    pub fn owner_begins(&self) {
        let next = self.plans.borrow_mut().pop_front();
        match next {
            Some(plan) if plan.is_at_backup() => {
                let (Moment::Access(count) | Moment::JournalStore(count)) = plan.moment;
                self.owner.set(None);
                self.backup.set(Some((count % 2000, plan.strike)));
            }
            plan => self.owner.set(plan),
        }
    }

    /// Lets strike what waits for an access that `core` is about to make.
    pub fn before_access(&self, world: &World, core: &Core) {
        match core.number {
            0 => self.count_backup(world, core),
            _ => {
                self.look_for_drop(world, core);
                self.count(world, core, |moment| match moment {
                    Moment::Access(count) => Some(count),
                    Moment::JournalStore(_) => None,
                });
            }
        }
    }

    /// Lets strike what waits for a store that `core` is about to make.
    pub fn before_store(&self, world: &World, core: &Core, part: Part) {
        match part {
            Part::Protection if core.number == 0 => self.before_arming(world),
            Part::Ring(_) | Part::Cursors | Part::Applying => {
                self.count(world, core, |moment| match moment {
                    Moment::JournalStore(count) => Some(count),
                    Moment::Access(_) => None,
                });
            }
            _ => {}
        }
    }

    /// Keeps the seat away, if that is planned, before it says that a backup is ready.
    fn before_arming(&self, world: &World) {
        if world.memory.protection_is(ProtectionState::Filling)
            && let Some(ns) = self.arming_pause_ns.take()
        {
            world.spend(ns);
        }
    }

    /// Plans silence for an owner that was to die when it has given its backup up, once it has.
    fn look_for_drop(&self, world: &World, core: &Core) {
        let dies = self.dies_at_drop.get();
        if dies.is_some()
            && dies == core.incarnation.get()
            && world.memory.protection_is(ProtectionState::Dropped)
        {
            self.dies_at_drop.set(None);
            // It dies after it has written over some of what the backup had not read.
            let stores = world.random.below(STORES_AFTER_DROP_MAX);
            self.owner.set(Some(Plan {
                strike: Strike::Silence,
                moment: Moment::JournalStore(stores),
            }));
        }
    }

    /// Counts down to the plan for the owner, if `its_count` is what that counts, and lets it strike in the end.
    fn count(&self, world: &World, core: &Core, its_count: impl Fn(Moment) -> Option<u64>) {
        let Some(mut plan) = self.owner.get() else {
            return;
        };
        let Some(count) = its_count(plan.moment) else {
            return;
        };
        if core.incarnation.get() != world.oracle.ownership.owner.get() || !leads(world, core) {
            return;
        }
        if let Some(left) = count.checked_sub(1) {
            let (Moment::Access(count) | Moment::JournalStore(count)) = &mut plan.moment;
            *count = left;
            return self.owner.set(Some(plan));
        }
        self.owner.set(None);
        strike(world, core, plan.strike);
    }

    /// Counts down to the plan for the backup that waits, and lets it strike in the end.
    fn count_backup(&self, world: &World, seat: &Core) {
        if !seat.runs_guest.get() {
            return;
        }
        match self.backup.get() {
            Some((0, strike)) => {
                self.backup.set(None);
                let end = match strike {
                    Strike::BackupHang => {
                        // Until the monitor's timer has seen no progress for its patience.
                        world.spend(HANG_NS);
                        Struck::Hung
                    }
                    _ => Struck::Crashed,
                };
                panic::resume_unwind(Box::new(end));
            }
            Some((count, strike)) => self.backup.set(Some((count - 1, strike))),
            None => {}
        }
    }
}

/// Returns whether a core is the first one of the incarnation that it runs.
fn leads(world: &World, core: &Core) -> bool {
    let is_lead = |number| world.incarnations.get(number).lead.get() == core.number;
    core.incarnation.get().is_some_and(is_lead)
}
