//! Faults: each waits for its moment and then strikes.

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
use strike::{flip_unread, strike};

/// Limit of the stores to the journal between giving the backup up and dying.
const STORES_AFTER_DROP_MAX: u64 = 20_000;

/// How a call of the backup ends that a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// By an exception.
    Crashed,
    /// By the monitor's timer.
    Hung,
}

/// The plans that are left, and the faults that wait.
pub struct Faults {
    plans: RefCell<VecDeque<Plan>>,
    /// The fault that waits for the primary.
    primary: Cell<Option<Plan>>,
    /// The fault that waits for the backup, with the number of its accesses until then.
    backup: Cell<Option<(u64, Strike)>>,
    /// Pause of the seat before it arms the next backup, in ns, and whether the primary gives it up meanwhile.
    arming_pause: Cell<Option<(u64, bool)>>,
    /// The primary gives its backup up at its next access.
    drops_backup: Cell<bool>,
    /// The incarnation that dies after it has given its backup up.
    dies_at_drop: Cell<Option<u32>>,
    /// The primary has recovered, and serves.
    serves: Cell<bool>,
    /// A bit to flip once there is a record that the backup has not read.
    flips_record: Cell<Option<u64>>,
    /// The primary is about to conclude an impossible fact.
    is_fact_impossible: Cell<bool>,
    /// The backup reads nothing more.
    is_backup_idle: Cell<bool>,
    /// Number of faults that struck a primary.
    struck: Cell<u64>,
}

impl Faults {
    /// Takes the plans of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            plans: RefCell::new(scenario.faults.iter().copied().collect()),
            primary: Cell::new(None),
            backup: Cell::new(None),
            arming_pause: Cell::new(None),
            drops_backup: Cell::new(false),
            dies_at_drop: Cell::new(None),
            serves: Cell::new(false),
            flips_record: Cell::new(None),
            is_fact_impossible: Cell::new(false),
            is_backup_idle: Cell::new(false),
            struck: Cell::new(0),
        }
    }

    /// Returns how many faults struck a primary.
    pub fn struck(&self) -> u64 {
        self.struck.get()
    }

    /// Returns whether no fault is left.
    pub fn are_over(&self) -> bool {
        self.plans.borrow().is_empty()
            && self.primary.get().is_none()
            && self.backup.get().is_none()
    }

    /// Drops every fault that has not struck yet.
    pub fn end(&self) {
        self.plans.borrow_mut().clear();
        self.primary.set(None);
        self.backup.set(None);
        self.flips_record.set(None);
    }

    /// Returns whether the primary concludes an impossible fact now.
    pub fn takes_impossible_fact(&self) -> bool {
        self.is_fact_impossible.take()
    }

    /// Returns whether the backup reads nothing, for as long as it waits.
    pub fn is_backup_idle(&self) -> bool {
        self.is_backup_idle.get()
    }

    /// Notes that the primary has recovered: what is in the journal behind its end is its own from now on.
    pub fn primary_serves(&self) {
        self.serves.set(true);
    }

    /// Notes that another backup waits.
    pub fn backup_begins(&self) {
        self.is_backup_idle.set(false);
    }

    /// Arms the next plan: for the primary that begins, or for the backup that waits beside it.
    pub fn primary_begins(&self) {
        self.serves.set(false);
        let next = self.plans.borrow_mut().pop_front();
        match next {
            Some(plan) if plan.is_at_backup() => {
                let (Moment::Access(count) | Moment::JournalStore(count)) = plan.moment;
                self.primary.set(None);
                self.backup.set(Some((count % 2000, plan.strike)));
            }
            plan => self.primary.set(plan),
        }
    }

    /// Strikes if a fault waits for the access that `core` is about to make.
    pub fn before_access(&self, world: &World, core: &Core) {
        match core.number {
            0 => self.count_backup(world, core),
            _ => {
                self.drop_backup(world, core);
                if let Some(bit) = self.flips_record.get()
                    && self.serves.get()
                    && flip_unread(world, bit)
                {
                    self.flips_record.set(None);
                }
                self.look_for_drop(world, core);
                self.count(world, core, |moment| match moment {
                    Moment::Access(count) => Some(count),
                    Moment::JournalStore(_) => None,
                });
            }
        }
    }

    /// Strikes if a fault waits for the store that `core` is about to make.
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

    /// Pauses the seat, if that is planned, before it arms a backup.
    fn before_arming(&self, world: &World) {
        if world.memory.protection_is(ProtectionState::Filling)
            && let Some((ns, drops)) = self.arming_pause.take()
        {
            self.drops_backup.set(drops);
            world.spend(ns);
            self.drops_backup.set(false);
        }
    }

    /// Plans a pause of the seat before it arms the next backup, which the primary may give up meanwhile.
    pub fn pause_arming(&self, ns: u64, drops: bool) {
        self.arming_pause.set(Some((ns, drops)));
    }

    /// Gives the backup up for the primary, if that is planned, as it does when its journal is full.
    fn drop_backup(&self, world: &World, core: &Core) {
        let primary = world.oracle.primary.incarnation.get();
        let is_its = core.incarnation.get().is_some() && core.incarnation.get() == primary;
        if is_its && self.drops_backup.take() {
            // This fails if the monitor was faster.
            let _ = world.memory.region.control.protection.drop_backup();
        }
    }

    /// Plans the death of a primary that was to die after giving its backup up, once it has given it up.
    fn look_for_drop(&self, world: &World, core: &Core) {
        let dies = self.dies_at_drop.get();
        if dies.is_some()
            && dies == core.incarnation.get()
            && world.memory.protection_is(ProtectionState::Dropped)
        {
            self.dies_at_drop.set(None);
            // By then it has written over some records that the backup had not read.
            let stores = world.random.below(STORES_AFTER_DROP_MAX);
            self.primary.set(Some(Plan {
                strike: Strike::Silence,
                moment: Moment::JournalStore(stores),
            }));
        }
    }

    /// Counts down to the fault for the primary, if `its_count` is what that fault counts, and strikes at the end.
    fn count(&self, world: &World, core: &Core, its_count: impl Fn(Moment) -> Option<u64>) {
        let Some(mut plan) = self.primary.get() else {
            return;
        };
        let Some(count) = its_count(plan.moment) else {
            return;
        };
        if core.incarnation.get() != world.oracle.primary.incarnation.get() || !leads(world, core) {
            return;
        }
        if let Some(left) = count.checked_sub(1) {
            let (Moment::Access(count) | Moment::JournalStore(count)) = &mut plan.moment;
            *count = left;
            return self.primary.set(Some(plan));
        }
        self.primary.set(None);
        self.struck.set(self.struck.get() + 1);
        strike(world, core, plan.strike);
    }

    /// Counts down to the fault for the backup, and strikes at the end.
    fn count_backup(&self, world: &World, seat: &Core) {
        if !seat.runs_guest.get() {
            return;
        }
        match self.backup.get() {
            Some((0, Strike::BackupIdles)) => {
                self.backup.set(None);
                self.is_backup_idle.set(true);
            }
            Some((0, strike)) => {
                self.backup.set(None);
                let end = match strike {
                    Strike::BackupHang => {
                        // The monitor's timer gives up after this long without progress.
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
