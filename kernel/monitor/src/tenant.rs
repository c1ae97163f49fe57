//! Tenants: what kinds of instance there are, behind one trait. How one is entered, how it waits, and how it is made primary is all that
//! the rest of the monitor asks.

use sharedmem::abi::{EntryReason, SeatStatus, stack_top};
use takeover::BackupLoss;

use crate::cores::Order;
use crate::guest;
use crate::load::Loaded;

/// Whether a waiting instance has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing until the primary does something.
    Idle,
    /// Call again.
    More,
}

/// An instance in its slice.
pub trait Tenant {
    /// Its number.
    fn instance(&self) -> usize;
    /// Gets ready to wait, on the seat.
    ///
    /// # Errors
    /// Why it will not.
    fn prepare(&mut self) -> Result<(), BackupLoss>;
    /// Does some of what a waiting instance has to do, on the seat.
    ///
    /// # Errors
    /// How it ended.
    fn work(&mut self) -> Result<Wait, BackupLoss>;
    /// How its core number `index` enters it for `reason`.
    fn order(&self, reason: EntryReason, index: usize) -> Order;
    /// Its cores.
    fn roster(&self) -> Roster;
}

/// Cores of an instance, in its own order, and how they are entered.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Machine numbers; the first leads.
    pub cores: arrayvec::ArrayVec<u32, 32>,
    /// The instance.
    pub loaded: Loaded,
}

impl Roster {
    /// The instance's number of a machine core.
    pub fn index_of(&self, core: u32) -> Option<usize> {
        self.cores.iter().position(|own| *own == core)
    }

    /// How core `index` enters the instance.
    pub fn order(&self, reason: EntryReason, index: usize) -> Order {
        Order {
            page_table: self.loaded.page_table.as_u64(),
            entry: self.loaded.entry,
            stack_top: stack_top(index),
            reason,
            hand_off: self.loaded.hand_off,
            core: index as u64,
        }
    }
}

/// A native instance: our own ELF.
pub struct Native {
    /// Its number.
    pub instance: usize,
    /// Its cores, and where it is.
    pub roster: Roster,
}

impl Native {
    fn call(&mut self, reason: EntryReason) -> Result<SeatStatus, BackupLoss> {
        // SAFETY: the instance is in its slice and runs nowhere while it waits; the seat has its trap handlers, and interrupts are on.
        match unsafe { guest::call(&self.roster.loaded, reason) } {
            Ok(SeatStatus::Failed) => Err(BackupLoss::Failed),
            Ok(status) => Ok(status),
            Err(guest::Aborted::Crashed) => Err(BackupLoss::Crashed),
            Err(guest::Aborted::Hung) => Err(BackupLoss::Hung),
        }
    }
}

impl Tenant for Native {
    fn instance(&self) -> usize {
        self.instance
    }

    fn prepare(&mut self) -> Result<(), BackupLoss> {
        self.call(EntryReason::SeatInit).map(|_| ())
    }

    fn work(&mut self) -> Result<Wait, BackupLoss> {
        let status = self.call(EntryReason::SeatStep)?;
        Ok(if status == SeatStatus::More {
            Wait::More
        } else {
            Wait::Idle
        })
    }

    fn order(&self, reason: EntryReason, index: usize) -> Order {
        self.roster.order(reason, index)
    }

    fn roster(&self) -> Roster {
        self.roster.clone()
    }
}
