//! What is true, whatever the kernels believe, and the laws that must hold at every step.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ptr;

use journal::record_bytes;
use sharedmem::SharedRegion;
use sharedmem::sync::{AtomicU64, Ordering};
use sharedmem::timeline::Timeline;
use takeover::{Edge, FenceConfig};

use crate::machine::core::{Core, Run};
use crate::world::{MS, World};

/// From the fence to the first frames of a new owner, with a core that has to be called again, in ns.
const ADOPTION_NS_MAX: u64 = 100 * MS;

/// Law 1 and what it is measured by.
#[derive(Default)]
pub struct Oracle {
    /// The epoch, as it was raised last.
    pub epoch: Cell<u64>,
    /// The incarnation that owns the machine.
    pub owner: Cell<Option<u32>>,
    /// When an owner with a backup ceased to work, how long that may stay unnoticed, both in ns, and its epoch.
    death: Cell<Option<(u64, u64, u64)>>,
    /// Owners that ceased to work.
    pub deaths: Cell<u64>,
    /// Takeovers and switchovers that came to an owner that serves.
    pub takeovers: Cell<u64>,
    /// Bits were flipped in the journal, or a state that is too large for it was lost in a reset: what was acknowledged may be lost, if that is named.
    pub is_damaged: Cell<bool>,
    /// Words of the ring that bits were flipped in, and that nobody has written since: their indices, and what they were.
    damaged: RefCell<BTreeMap<usize, u64>>,
    /// Damage that a new owner named.
    pub findings: Cell<u64>,
    /// Resets of the machine.
    pub resets: Cell<u64>,
    /// Every value of the shared count that a client was told.
    pub shared_counts: RefCell<BTreeSet<u64>>,
    stuck: Cell<u32>,
    violation: RefCell<Option<String>>,
}

/// A part of the shared region, by who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The epoch word: the monitor.
    Epoch,
    /// Records, and the cursors that say what is one: the owner.
    Journal,
    /// Which record is being applied: the owner.
    Applying,
    /// The protection word: the monitor, and the owner by exchange.
    Protection,
    /// Anything else.
    Other,
}

fn part_of(region: &SharedRegion, address: usize) -> Part {
    let control = region.control;
    let journal = &control.journal;
    let is_in = |start: usize, bytes: usize| (start..start + bytes).contains(&address);
    let owners = [
        ptr::from_ref(&journal.reserved).addr(),
        ptr::from_ref(&journal.applied).addr(),
    ];
    let ring = region.journal;
    if is_in(ptr::from_ref(&control.epoch).addr(), 8) {
        Part::Epoch
    } else if is_in(ptr::from_ref(&journal.applying).addr(), 8) {
        Part::Applying
    } else if is_in(ptr::from_ref(&control.protection).addr(), 8) {
        Part::Protection
    } else if is_in(ring.as_ptr().addr(), size_of_val(ring))
        || owners.iter().any(|start| is_in(*start, 16))
    {
        Part::Journal
    } else {
        Part::Other
    }
}

impl Oracle {
    /// A law is broken. The first time counts.
    pub fn broken(&self, law: impl Into<String>) {
        self.violation.borrow_mut().get_or_insert(law.into());
    }

    /// The law that was broken, if one was.
    pub fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// A client misses something, or is told something else: a law is broken, unless the journal was damaged and somebody has named it.
    pub fn missed(&self, what: impl Into<String>) {
        if !self.is_damaged.get() {
            self.broken(what);
        } else if self.findings.get() == 0 {
            self.broken(format!("nobody names the damage: {}", what.into()));
        }
    }

    /// Whether a core takes no signal any more.
    pub fn is_stuck(&self, core: u32) -> bool {
        self.stuck.get() & 1 << core != 0
    }

    /// From now on a core takes no signal, or does again.
    pub fn stick(&self, core: u32, is_stuck: bool) {
        let others = self.stuck.get() & !(1 << core);
        self.stuck.set(others | u32::from(is_stuck) << core);
    }

    /// The machine was reset: nobody owns it.
    pub fn reset(&self) {
        self.owner.set(None);
        self.death.set(None);
        self.resets.set(self.resets.get() + 1);
        self.stuck.set(0);
    }

    /// After a reset nothing is left to go on with.
    pub fn lost_state(&self, world: &World) {
        if !self.is_damaged.get() && !world.scenario.may_outgrow_journal() {
            self.broken("after a reset the journal does not make the state");
        }
        // The monitor says that, and what clients expect is no measure any more.
        self.is_damaged.set(true);
        self.findings.set(self.findings.get() + 1);
    }

    /// The owner has ceased to work; if a backup was ready, that is to be noticed within `limit_ns`.
    pub fn died(&self, now_ns: u64, limit_ns: Option<u64>) {
        self.deaths.set(self.deaths.get() + 1);
        let epoch = self.epoch.get();
        self.death
            .set(limit_ns.map(|limit_ns| (now_ns, limit_ns, epoch)));
    }

    /// A new owner serves, whose takeover has this timeline.
    pub fn serves(&self, world: &World, timeline: &Timeline) {
        let Some((dead_ns, limit_ns, epoch)) = self.death.take() else {
            return;
        };
        // Who comes later is the successor of one that never came up.
        let is_successor = timeline.epoch() == epoch + 1;
        let detected = timeline.edge_ns(Edge::Detected.index());
        let Some(detected_ns) = detected.filter(|_| is_successor) else {
            return;
        };
        let (unnoticed_ns, took_ns) = (
            detected_ns.saturating_sub(dead_ns),
            world.now_ns() - detected_ns,
        );
        let takes_ns_max = FenceConfig::default().worst_case_ns() + ADOPTION_NS_MAX;
        if unnoticed_ns > limit_ns {
            self.broken(format!(
                "a death is noticed after {unnoticed_ns} ns, not within {limit_ns} ns"
            ));
        } else if took_ns > takes_ns_max && detected_ns >= dead_ns {
            self.broken(format!(
                "a takeover takes {took_ns} ns, not at most {takes_ns_max} ns"
            ));
        }
    }

    /// `core` is about to store to the word at `address`; `value`, unless it is an exchange, of which the outcome is still to come.
    pub fn stores(&self, world: &World, core: &Core, address: usize, value: Option<u64>) {
        let part = part_of(&world.region, address);
        if part == Part::Protection && core.number == 0 {
            world.faults.at_arming(world);
        }
        if let (Part::Applying, Some(value @ 1..)) = (part, value)
            && !self.damaged.borrow().is_empty()
        {
            self.applies(world, value & !7);
        }
        if part == Part::Journal && self.is_damaged.get() {
            self.writes(world.region.journal, address);
        }
        if matches!(part, Part::Journal | Part::Applying) {
            world.faults.at_journal_store(world, core);
        }
        match part {
            Part::Epoch => self.raises(world, core, value),
            Part::Journal | Part::Applying
                if core.number != 0 && core.incarnation.get() != self.owner.get() =>
            {
                self.broken(format!(
                    "core {} of incarnation {:?} writes to the journal, which is incarnation {:?}'s",
                    core.number,
                    core.incarnation.get(),
                    self.owner.get()
                ));
            }
            Part::Journal | Part::Applying | Part::Protection | Part::Other => {}
        }
    }

    fn raises(&self, world: &World, core: &Core, to: Option<u64>) {
        let from = self.epoch.get();
        let to = to.unwrap_or(from + 1);
        if core.number != 0 {
            self.broken(format!("core {} raises the epoch", core.number));
        }
        if to <= from {
            self.broken(format!("the epoch goes from {from} to {to}"));
        }
        let runs_on = world.cores.iter().find(|core| {
            core.run.get() != Run::Off
                && core.incarnation.get().is_some()
                && core.incarnation.get() == self.owner.get()
        });
        if let Some(runs_on) = runs_on {
            self.broken(format!(
                "epoch {to} is raised while core {} still runs the owner of epoch {from}",
                runs_on.number
            ));
        }
        self.epoch.set(to);
        self.owner.set(None);
    }

    /// Bits of the ring's word `index`, which is `word`, are about to be flipped.
    pub fn damages(&self, index: usize, word: u64) {
        self.damaged.borrow_mut().entry(index).or_insert(word);
    }

    /// A word of the ring is written: whatever was wrong with it, is not any more.
    fn writes(&self, ring: &[AtomicU64], address: usize) {
        let start = ring.as_ptr().addr();
        if let Some(offset) = address.checked_sub(start) {
            self.damaged.borrow_mut().remove(&(offset / 8));
        }
    }

    /// An owner begins to apply a record, as it says: one in which nothing is damaged.
    fn applies(&self, world: &World, position: u64) {
        let ring = world.region.journal;
        let index = |position: u64| (position / 8) as usize % ring.len();
        let word = |index: usize| ring[index].load(Ordering::Relaxed);
        let length_bytes = word(index(position + 8)) as u32;
        let bytes = record_bytes(length_bytes).min(size_of_val(ring) as u64);
        let damaged = self.damaged.borrow();
        let is_damaged = |position: u64| {
            let index = index(position);
            damaged.get(&index).is_some_and(|was| word(index) != *was)
        };
        if (position..position + bytes).step_by(8).any(is_damaged) {
            self.broken(format!(
                "the record at position {position} is applied, and is damaged"
            ));
        }
    }

    /// An incarnation becomes the owner.
    pub fn owns(&self, world: &World, incarnation: u32) {
        if let Some(driver) = world.card.driver.get() {
            self.broken(format!(
                "incarnation {incarnation} begins while the card still masters the bus for incarnation {driver}"
            ));
        }
        if let Some(other) = self.owner.get()
            && other != incarnation
        {
            self.broken(format!(
                "incarnation {incarnation} owns the machine beside incarnation {other}"
            ));
        }
        if self.owner.replace(Some(incarnation)).is_none() && incarnation > 1 {
            self.takeovers.set(self.takeovers.get() + 1);
        }
    }

    /// An incarnation lets frames out.
    pub fn transmits(&self, world: &World, incarnation: u32) {
        if self.owner.get() != Some(incarnation) || world.card.driver.get() != Some(incarnation) {
            self.broken(format!(
                "incarnation {incarnation} sends frames; the owner is incarnation {:?}, the card is driven by {:?}",
                self.owner.get(),
                world.card.driver.get()
            ));
        }
    }

    /// The card writes into the memory of its driver.
    pub fn delivered_to(&self, world: &World, incarnation: u32) {
        if world.incarnation(incarnation).is_gone.get() {
            self.broken(format!(
                "the card writes into the memory of incarnation {incarnation}, which was given to another"
            ));
        }
    }
}
