//! A native tenant: our own ELF. It waits as a guest on the seat, called step by step.

use alloc::string::String;

use arrayvec::ArrayVec;
use partition::Kind;
use partition::tenant::NATIVE;
use sharedmem::abi::{EntryReason, SeatStatus, stack_top};
use sharedmem::{Instance, MAX_CORES};
use supervisor::{Order, Readiness, Source, Tenant, Wait};
use takeover::BackupLoss;

use crate::guest;
use crate::load::Loaded;
use crate::platform::{BareMachine, Dispatch};

/// A native instance in its slice.
pub struct Native {
    /// Which instance it is.
    pub instance: Instance,
    /// Where its image came from.
    pub source: Source,
    /// Its image's version.
    pub version: String,
    /// Machine numbers of its cores; the first leads.
    pub cores: ArrayVec<u32, MAX_CORES>,
    /// Where it is.
    pub loaded: Loaded,
    /// It was entered on the seat.
    pub is_begun: bool,
}

impl Native {
    fn call(&mut self, reason: EntryReason) -> Result<SeatStatus, BackupLoss> {
        // SAFETY: the instance is in its slice and runs nowhere while it waits; the seat has its trap handlers, and interrupts are on.
        match unsafe { guest::call(&self.loaded, reason) } {
            Ok(SeatStatus::Failed) => Err(BackupLoss::Failed),
            Ok(status) => Ok(status),
            Err(guest::Aborted::Crashed) => Err(BackupLoss::Crashed),
            Err(guest::Aborted::Hung) => Err(BackupLoss::Hung),
        }
    }

    fn order(&self, reason: EntryReason, index: usize) -> Order {
        Order {
            page_table: self.loaded.page_table.as_u64(),
            entry: self.loaded.entry,
            stack_top: stack_top(index),
            arguments: [reason as u64, self.loaded.hand_off, index as u64],
        }
    }
}

impl Tenant<BareMachine> for Native {
    fn instance(&self) -> Instance {
        self.instance
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn cores(&self) -> &[u32] {
        &self.cores
    }

    fn fixed_bytes(&self) -> u64 {
        self.loaded.fixed_bytes
    }

    fn prepare(&mut self, _dispatch: &mut Dispatch) -> Result<Readiness, BackupLoss> {
        let reason = match self.is_begun {
            true => EntryReason::SeatStep,
            false => EntryReason::SeatInit,
        };
        self.is_begun = true;
        Ok(match self.call(reason)? {
            SeatStatus::Filling => Readiness::Filling(Wait::Idle),
            SeatStatus::More => Readiness::Filling(Wait::More),
            _ => Readiness::Ready,
        })
    }

    fn work(&mut self) -> Result<Wait, BackupLoss> {
        let status = self.call(EntryReason::SeatStep)?;
        Ok(if status == SeatStatus::More {
            Wait::More
        } else {
            Wait::Idle
        })
    }

    fn start(&self) -> Order {
        self.order(EntryReason::StartPrimary, 0)
    }

    fn promote(&mut self, _platform: &mut BareMachine) -> Result<Order, BackupLoss> {
        Ok(self.order(EntryReason::Promote, 0))
    }

    fn join(&self, core: u32) -> Option<Order> {
        let index = self.cores.iter().position(|own| *own == core)?;
        Some(self.order(EntryReason::JoinCore, index))
    }

    fn kind(&self) -> &'static Kind {
        &NATIVE
    }
}
