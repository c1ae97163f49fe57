//! Law 1, never two owners: only the primary writes to the journal and sends frames, and the epoch is raised only when
//! no core runs the old primary any more.

use std::cell::Cell;

use sharedmem::protection::ProtectionState;

use super::Law;
use crate::machine::core::{Core, Run};
use crate::machine::memory::{Memory, Part};
use crate::machine::scheduler::Scheduler;

/// Who is the primary.
#[derive(Default)]
pub struct Primary {
    /// The epoch.
    pub epoch: Cell<u64>,
    /// The incarnation that is the primary.
    pub incarnation: Cell<Option<u32>>,
    /// Number of takeovers and switchovers that led to a new primary.
    pub takeovers: Cell<u64>,
    /// The monitor had claimed the backup when it last raised the epoch, so that the primary could not give it up any
    /// more.
    was_claimed: Cell<bool>,
    /// The machine had a primary since it was booted.
    had_primary: Cell<bool>,
}

impl Primary {
    /// Records a reset of the machine: there is no primary.
    pub fn reset(&self) {
        self.incarnation.set(None);
        self.had_primary.set(false);
    }

    /// Checks a store that `core` is about to make. An exchange has no `value` yet.
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
            Part::Protection => arms(memory, value),
            Part::Other => Ok(()),
        }
    }

    fn writes_journal(&self, core: &Core) -> Law {
        match core.number == 0 || core.incarnation.get() == self.incarnation.get() {
            true => Ok(()),
            false => Err(format!(
                "core {} of incarnation {:?} writes to the journal, which is incarnation {:?}'s",
                core.number,
                core.incarnation.get(),
                self.incarnation.get()
            )),
        }
    }

    fn raises(&self, scheduler: &Scheduler, core: &Core, to: Option<u64>) -> Law {
        let from = self.epoch.get();
        let to = to.unwrap_or(from + 1);
        // The monitor writes back what a stray store overwrote.
        if core.number == 0 && to == from {
            return Ok(());
        }
        let primary = self.incarnation.take();
        self.epoch.set(to);
        if core.number != 0 {
            return Err(format!("core {} raises the epoch", core.number));
        }
        if to <= from {
            return Err(format!("the epoch goes from {from} to {to}"));
        }
        let runs_primary = |core: &&Core| {
            core.run.get() != Run::Off
                && core.incarnation.get().is_some()
                && core.incarnation.get() == primary
        };
        match scheduler.cores.iter().find(runs_primary) {
            None => Ok(()),
            Some(core) => Err(format!(
                "epoch {to} is raised while core {} still runs the primary of epoch {from}",
                core.number
            )),
        }
    }

    /// Checks that a promoted backup was claimed. One that was given up lacks what was written over since.
    pub fn promotes(&self, incarnation: u32) -> Law {
        match self.was_claimed.get() {
            true => Ok(()),
            false => Err(format!(
                "incarnation {incarnation} is promoted, and was not claimed before"
            )),
        }
    }

    /// Checks that the monitor takes the machine for protected only while the protection word says so, or the primary
    /// has just given the backup up.
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

    /// Makes an incarnation the primary. `driver` is the incarnation for which the card masters the bus.
    pub fn becomes(&self, incarnation: u32, driver: Option<u32>) -> Law {
        let before = self.incarnation.replace(Some(incarnation));
        if self.had_primary.replace(true) && before.is_none() {
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
                "incarnation {incarnation} is the primary beside incarnation {other}"
            )),
        }
    }

    /// Checks that an incarnation that sends frames is the primary, and drives the card.
    pub fn transmits(&self, incarnation: u32, driver: Option<u32>) -> Law {
        match [self.incarnation.get(), driver] == [Some(incarnation); 2] {
            true => Ok(()),
            false => Err(format!(
                "incarnation {incarnation} sends frames; the primary is incarnation {:?}, \
                 the card is driven by {driver:?}",
                self.incarnation.get()
            )),
        }
    }
}

/// Checks that no store arms a backup that the primary has given up.
fn arms(memory: &Memory, value: Option<u64>) -> Law {
    let is_armed = value == Some(ProtectionState::Armed as u64);
    match is_armed && memory.protection_is(ProtectionState::Dropped) {
        true => Err("a backup is armed that the primary had given up".into()),
        false => Ok(()),
    }
}
