//! Faults: they wait for their moment, and strike.

use std::cell::{Cell, RefCell};
use std::panic;

use sharedmem::epitaph::EpitaphCause;
use sharedmem::protection::ProtectionState;
use sharedmem::sync::Ordering;

use crate::kernels::host::Kernel;
use crate::machine::core::{Core, Run};
use crate::scenario::Scenario;
use crate::scenario::plan::{HANG_NS, Moment, Plan, Strike};
use crate::world::{MS, US, World};

/// Words at the end of the journal that bits are flipped in rather than elsewhere.
const TAIL_WORDS: u64 = 48;

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
    plans: RefCell<std::collections::VecDeque<Plan>>,
    /// The plan for the owner that is.
    owner: Cell<Option<Plan>>,
    /// What strikes the backup that waits, with the accesses until then.
    backup: Cell<Option<(u64, Strike)>>,
    /// The backup has the seat.
    pub is_backup_called: Cell<bool>,
    /// How long the seat is away before it says next that a backup is ready, in ns.
    arming_pause_ns: Cell<Option<u64>>,
    /// This incarnation falls silent when it has given its backup up.
    dies_at_drop: Cell<Option<u32>>,
}

impl Faults {
    /// Those of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            plans: RefCell::new(scenario.faults.iter().copied().collect()),
            owner: Cell::new(None),
            backup: Cell::new(None),
            is_backup_called: Cell::new(false),
            arming_pause_ns: Cell::new(None),
            dies_at_drop: Cell::new(None),
        }
    }

    /// Whether nothing more will strike.
    pub fn are_over(&self) -> bool {
        self.plans.borrow().is_empty() && self.owner.get().is_none() && self.backup.get().is_none()
    }

    /// No more strikes.
    pub fn end(&self) {
        self.plans.borrow_mut().clear();
        self.owner.set(None);
        self.backup.set(None);
    }

    /// An owner begins: the next plan is made for it, or for the backup that waits beside it.
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

    /// `core` is about to make an access.
    pub fn at_access(&self, world: &World, core: &Core) {
        match core.number {
            0 => self.at_backups_access(world),
            _ => {
                self.at_drop(world, core);
                self.count(world, core, |moment| match moment {
                    Moment::Access(count) => Some(count),
                    Moment::JournalStore(_) => None,
                });
            }
        }
    }

    /// The seat is about to write to the protection word.
    pub fn at_arming(&self, world: &World) {
        // Taken before the look, which is an access as well.
        let Some(ns) = self.arming_pause_ns.take() else {
            return;
        };
        match world.region.control.protection.state() {
            ProtectionState::Filling => world.spend(ns),
            _ => self.arming_pause_ns.set(Some(ns)),
        }
    }

    /// An owner makes an access, and may have given its backup up before.
    fn at_drop(&self, world: &World, core: &Core) {
        if core.incarnation.get().is_none() || core.incarnation.get() != self.dies_at_drop.get() {
            return;
        }
        let Some(incarnation) = self.dies_at_drop.take() else {
            return;
        };
        match world.region.control.protection.state() {
            // Once it has written over some of what the backup had not read.
            ProtectionState::Dropped => self.owner.set(Some(Plan {
                strike: Strike::Silence,
                moment: Moment::JournalStore(world.below(STORES_AFTER_DROP_MAX)),
            })),
            _ => self.dies_at_drop.set(Some(incarnation)),
        }
    }

    /// `core` is about to store to the journal.
    pub fn at_journal_store(&self, world: &World, core: &Core) {
        self.count(world, core, |moment| match moment {
            Moment::JournalStore(count) => Some(count),
            Moment::Access(_) => None,
        });
    }

    /// One less until the plan for the owner, if `its_count` is what that counts; or it strikes.
    fn count(&self, world: &World, core: &Core, its_count: impl Fn(Moment) -> Option<u64>) {
        let Some(mut plan) = self.owner.get() else {
            return;
        };
        let Some(count) = its_count(plan.moment) else {
            return;
        };
        if core.incarnation.get() != world.oracle.owner.get() || !world.leads(core) {
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

    fn at_backups_access(&self, world: &World) {
        if !self.is_backup_called.get() {
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

fn strike(world: &World, core: &Core, strike: Strike) {
    let Some(incarnation) = core.incarnation.get() else {
        return;
    };
    log::warn!(
        "{} ns: incarnation {incarnation} is struck: {strike:?}",
        core.time_ns.get()
    );
    match strike {
        Strike::Panic => Kernel { incarnation }.die(EpitaphCause::Panic, "struck"),
        Strike::Silence => silence(world, incarnation),
        Strike::HungLoop => {
            world.owner_died();
            loop {
                world.spend(20 * US);
            }
        }
        Strike::HungCore => {
            match cores_of(world, incarnation).find(|other| other.number != core.number) {
                Some(other) => {
                    world.owner_died();
                    other.is_deaf.set(true);
                    other.run.set(Run::Still);
                }
                None => silence(world, incarnation),
            }
        }
        Strike::Pause { ns } => {
            for core in cores_of(world, incarnation) {
                core.time_ns
                    .set(core.time_ns.get().max(world.now_ns()) + ns);
            }
            world.spend(0);
        }
        Strike::Damage { flips } => {
            damage(world, flips);
            silence(world, incarnation);
        }
        Strike::DeafCore => {
            let deaf = cores_of(world, incarnation)
                .last()
                .map_or(core.number, |core| core.number);
            world.oracle.stick(deaf, true);
            let ns = 200 * MS + world.below(400 * MS);
            world.after(ns, crate::world::Event::Unstick(deaf));
            silence(world, incarnation);
        }
        Strike::SeatPause { ns } => pause_seat(world, ns),
        Strike::ArmingPause { ns } => world.faults.arming_pause_ns.set(Some(ns)),
        Strike::DropAndSilence { ns } => {
            pause_seat(world, ns);
            world.faults.dies_at_drop.set(Some(incarnation));
        }
        Strike::Poison => world.clients.borrow_mut()[0].poison(),
        Strike::Switchover => world.clients.borrow_mut()[0].switch_over(),
        Strike::BackupCrash | Strike::BackupHang => {}
    }
}

fn cores_of(world: &World, incarnation: u32) -> impl Iterator<Item = &Core> {
    let is_its = move |core: &&Core| {
        core.incarnation.get() == Some(incarnation) && core.run.get() != Run::Off
    };
    world.cores.iter().filter(is_its)
}

fn pause_seat(world: &World, ns: u64) {
    let seat = &world.cores[0];
    let now_ns = seat.time_ns.get().max(world.now_ns());
    seat.time_ns.set(now_ns + ns);
}

/// All cores of an incarnation stop executing, with interrupts off; that includes the one that executes now.
fn silence(world: &World, incarnation: u32) -> ! {
    world.owner_died();
    for core in cores_of(world, incarnation) {
        core.is_deaf.set(true);
        core.run.set(Run::Still);
    }
    world.halt()
}

/// Flips bits in what the journal holds, and in its cursors.
fn damage(world: &World, flips: u32) {
    world.oracle.is_damaged.set(true);
    let journal = &world.region.control.journal;
    let ring = world.region.journal;
    let written_to = journal.reserved.load(Ordering::Relaxed);
    for _ in 0..flips {
        let bit = 1 << world.below(64);
        let word = match world.below(12) {
            0 => &*journal.reserved,
            1 => &*journal.applied,
            2 => &*journal.retained,
            _ => {
                let end = written_to / 8;
                // Half of them in what is likely to be recovered.
                let reach = match world.once_in(2) {
                    true => TAIL_WORDS,
                    false => ring.len() as u64,
                };
                let back = 1 + world.below(end.min(reach));
                let index = end.saturating_sub(back) as usize % ring.len();
                world
                    .oracle
                    .damages(index, ring[index].load(Ordering::Relaxed));
                &ring[index]
            }
        };
        word.fetch_xor(bit, Ordering::Relaxed);
    }
}
