//! Law 1, never two owners: nobody but the owner writes to the journal or sends frames, and the epoch is raised only when no core
//! runs the old owner any more.

use std::cell::Cell;

use sharedmem::protection::ProtectionState;

use super::Law;
use crate::machine::core::{Core, Run};
use crate::machine::memory::{Memory, Part};
use crate::machine::scheduler::Scheduler;

/// Who owns the machine.
#[derive(Default)]
pub struct Ownership {
    /// The epoch, as it was raised last.
    pub epoch: Cell<u64>,
    /// The incarnation that owns the machine.
    pub owner: Cell<Option<u32>>,
    /// Takeovers and switchovers that came to a new owner.
    pub takeovers: Cell<u64>,
    /// The monitor had claimed the backup when it raised the epoch last: from then on nobody could give it up.
    was_claimed: Cell<bool>,
    /// The machine had an owner since it was booted.
    had_owner: Cell<bool>,
}

impl Ownership {
    /// Records a reset of the machine: nobody owns it.
    pub fn reset(&self) {
        self.owner.set(None);
        self.had_owner.set(false);
    }

    /// Checks a store that `core` is about to make; `value`, unless it is an exchange, whose outcome is still to come.
    pub fn before_store(
        &self,
        scheduler: &Scheduler,
        memory: &Memory,
        core: &Core,
        part: Part,
        value: Option<u64>,
    ) -> Law {
        match part {
            Part::Epoch => {
                let is_claimed = memory.protection_is(ProtectionState::Claimed);
                self.was_claimed.set(is_claimed);
                self.raises(scheduler, core, value)
            }
            Part::Ring(_) | Part::Cursors | Part::Applying => self.writes_journal(core),
            Part::Protection | Part::Other => Ok(()),
        }
    }

    fn writes_journal(&self, core: &Core) -> Law {
        match core.number == 0 || core.incarnation.get() == self.owner.get() {
            true => Ok(()),
            false => Err(format!(
                "core {} of incarnation {:?} writes to the journal, which is incarnation {:?}'s",
                core.number,
                core.incarnation.get(),
                self.owner.get()
            )),
        }
    }

    fn raises(&self, scheduler: &Scheduler, core: &Core, to: Option<u64>) -> Law {
        let from = self.epoch.get();
        let to = to.unwrap_or(from + 1);
        let owner = self.owner.take();
        self.epoch.set(to);
        if core.number != 0 {
            return Err(format!("core {} raises the epoch", core.number));
        }
        if to <= from {
            return Err(format!("the epoch goes from {from} to {to}"));
        }
        let runs_owner = |core: &&Core| {
            core.run.get() != Run::Off
                && core.incarnation.get().is_some()
                && core.incarnation.get() == owner
        };
        match scheduler.cores.iter().find(runs_owner) {
            None => Ok(()),
            Some(core) => Err(format!(
                "epoch {to} is raised while core {} still runs the owner of epoch {from}",
                core.number
            )),
        }
    }

    /// Checks that a backup that is promoted had been claimed: one that was given up lacks what was written over meanwhile.
    pub fn promotes(&self, incarnation: u32) -> Law {
        match self.was_claimed.get() {
            true => Ok(()),
            false => Err(format!(
                "incarnation {incarnation} is promoted, and was not claimed before"
            )),
        }
    }

    /// Checks what the monitor believes: a machine counts as protected only while its protection word says so, or the owner has just
    /// given the backup up.
    pub fn protects(&self, memory: &Memory, is_protected: bool) -> Law {
        let is_armed = |state| memory.protection_is(state);
        match !is_protected
            || is_armed(ProtectionState::Armed)
            || is_armed(ProtectionState::Dropped)
        {
            true => Ok(()),
            false => Err(
                "the monitor takes the machine for protected, and its word does not say so".into(),
            ),
        }
    }

    /// Makes an incarnation the owner; `driver` is the incarnation that the card masters the bus for.
    pub fn owns(&self, incarnation: u32, driver: Option<u32>) -> Law {
        let before = self.owner.replace(Some(incarnation));
        if self.had_owner.replace(true) && before.is_none() {
            self.takeovers.set(self.takeovers.get() + 1);
        }
        if let Some(driver) = driver {
            return Err(format!(
                "incarnation {incarnation} begins while the card still masters the bus for incarnation {driver}"
            ));
        }
        match before.filter(|other| *other != incarnation) {
            None => Ok(()),
            Some(other) => Err(format!(
                "incarnation {incarnation} owns the machine beside incarnation {other}"
            )),
        }
    }

    /// Checks that an incarnation that sends frames owns the machine, and drives the card.
    pub fn transmits(&self, incarnation: u32, driver: Option<u32>) -> Law {
        match [self.owner.get(), driver] == [Some(incarnation); 2] {
            true => Ok(()),
            false => Err(format!(
                "incarnation {incarnation} sends frames; the owner is incarnation {:?}, the card is driven by {driver:?}",
                self.owner.get()
            )),
        }
    }
}
