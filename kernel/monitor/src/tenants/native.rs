//! A native tenant: our own ELF. It waits as a guest on the seat, called step by step.

use alloc::boxed::Box;
use alloc::string::String;

use partition::Kind;
use partition::tenant::NATIVE;
use sharedmem::Instance;
use sharedmem::abi::{EntryReason, SeatStatus, stack_top};
use supervisor::{LoadRequest, Order, Readiness, Source, Tenant, Wait, outcome_of};
use takeover::BackupLoss;

use super::{Dispatch, report_altered};
use crate::ap::OtherCores;
use crate::constant::ConstantMemory;
use crate::guest::{self, Loaded, Unreturned};

/// A native instance in its slice.
pub struct Native {
    instance: Instance,
    source: Source,
    version: String,
    /// Machine numbers; the first leads.
    cores: Box<[u32]>,
    loaded: Loaded,
    /// Its text and its page tables. They change only when it is the primary.
    constant: ConstantMemory,
    /// It was entered on the seat.
    is_begun: bool,
    /// Its call was suspended, to be resumed.
    is_suspended: bool,
}

impl Native {
    /// Makes the tenant of an instance that was `loaded` from an image of this version and not entered yet.
    pub fn new(
        request: &LoadRequest<'_>,
        version: String,
        loaded: Loaded,
        constant: ConstantMemory,
    ) -> Self {
        Self {
            instance: request.instance,
            source: request.source,
            version,
            cores: request.cores.into(),
            loaded,
            constant,
            is_begun: false,
            is_suspended: false,
        }
    }

    /// Calls it on the seat for a time slice, or goes on with its suspended call. `None` if the call is suspended.
    fn call(&mut self) -> Result<Option<SeatStatus>, BackupLoss> {
        let returned = match self.is_suspended {
            // SAFETY: this instance's call was suspended, and its slice is touched by nobody else while it waits. No
            // other instance was called since: there is one backup at a time, and a new one begins with a call.
            true => unsafe { guest::resume(&self.loaded) },
            false => {
                let reason = match self.is_begun {
                    true => EntryReason::SeatStep,
                    false => EntryReason::SeatInit,
                };
                self.is_begun = true;
                // SAFETY: the instance is in its slice and runs nowhere while it waits; the seat has its trap handlers,
                // and interrupts are on.
                unsafe { guest::call(&self.loaded, reason) }
            }
        };
        self.is_suspended = returned == Err(Unreturned::Suspended);
        match returned {
            Ok(status) => outcome_of(status).map(Some),
            Err(Unreturned::Suspended) => Ok(None),
            Err(Unreturned::Crashed) => Err(BackupLoss::Crashed),
            Err(Unreturned::Hung) => Err(BackupLoss::Hung),
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

impl Tenant<OtherCores> for Native {
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
        Ok(match self.call()? {
            None => Readiness::NotYet(Wait::More),
            Some(SeatStatus::Filling) => Readiness::Filling(Wait::Idle),
            Some(SeatStatus::More) => Readiness::Filling(Wait::More),
            Some(_) => Readiness::Ready,
        })
    }

    fn work(&mut self) -> Result<Wait, BackupLoss> {
        Ok(match self.call()? {
            None | Some(SeatStatus::More) => Wait::More,
            Some(_) => Wait::Idle,
        })
    }

    fn check_memory(&mut self, now_ns: u64) -> Result<(), BackupLoss> {
        self.constant
            .check(now_ns)
            .map_err(|altered| report_altered(self.instance, altered))
    }

    fn start(&self) -> Order {
        self.order(EntryReason::StartPrimary, 0)
    }

    fn promote(&mut self) -> Result<Order, BackupLoss> {
        // The old primary is fenced: what its backup was amid is finished first. A call that hangs ends all the same.
        while self.is_suspended {
            self.call()?;
        }
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
