//! A native instance as the supervisor sees it: a guest that is called while it waits.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use partition::Kind;
use partition::tenant::NATIVE;
use replica::Replica;
use sharedmem::Instance;
use sharedmem::abi::{EntryReason, SeatStatus};
use supervisor::{Dispatch, Order, Readiness, Source, Tenant, Wait, outcome_of};
use takeover::BackupLoss;

use crate::faults::Struck;
use crate::kernels::host::Kernel;
use crate::kernels::incarnation::Incarnation;
use crate::kernels::platform::Others;
use crate::kernels::program::is_poison;
use crate::world::World;

/// A native instance.
pub struct Native {
    world: Rc<World>,
    incarnation: Rc<Incarnation>,
    source: Source,
    is_begun: bool,
}

impl Native {
    /// Makes the tenant of an incarnation that was just loaded.
    pub fn new(world: &Rc<World>, incarnation: Rc<Incarnation>, source: Source) -> Self {
        Self {
            world: Rc::clone(world),
            incarnation,
            source,
            is_begun: false,
        }
    }

    fn call(&self, reason: EntryReason) -> Result<SeatStatus, BackupLoss> {
        let seat = self.world.scheduler.core(0);
        seat.runs_guest.set(true);
        let result = panic::catch_unwind(AssertUnwindSafe(|| self.step(reason)));
        seat.runs_guest.set(false);
        let payload = match result {
            Ok(status) => return outcome_of(status),
            Err(payload) => payload,
        };
        match payload.downcast_ref::<Struck>() {
            Some(Struck::Crashed) => Err(BackupLoss::Crashed),
            Some(Struck::Hung) => Err(BackupLoss::Hung),
            None if is_poison(&*payload) => Err(BackupLoss::Crashed),
            None => panic::resume_unwind(payload),
        }
    }

    fn step(&self, reason: EntryReason) -> SeatStatus {
        let mut standby = self.incarnation.standby.borrow_mut();
        if reason == EntryReason::SeatInit {
            self.world.faults.backup_begins();
            *standby = Some(Replica::new(Kernel::new(&self.world, &self.incarnation)));
            return SeatStatus::More;
        }
        match standby.as_mut() {
            Some(replica) => {
                self.incarnation.flip_value(&self.world, replica);
                replica.follow()
            }
            None => SeatStatus::Failed,
        }
    }

    fn order(&self, reason: EntryReason) -> Order {
        Order {
            page_table: 0,
            entry: 0,
            stack_top: 0,
            arguments: [reason as u64, self.incarnation.number.into(), 0],
        }
    }
}

impl Tenant<Others> for Native {
    fn instance(&self) -> Instance {
        self.incarnation.instance
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn cores(&self) -> &[u32] {
        &self.incarnation.cores
    }

    fn fixed_bytes(&self) -> u64 {
        0
    }

    fn prepare(&mut self, _: &mut Dispatch<Others>) -> Result<Readiness, BackupLoss> {
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
        if self.world.faults.is_backup_idle() {
            return Ok(Wait::Idle);
        }
        let status = self.call(EntryReason::SeatStep);
        let oracle = &self.world.oracle;
        let law = oracle.values.waits(self.incarnation.number, status.err());
        if !oracle.damage.is_done.get() {
            oracle.check(law);
        }
        Ok(match status? {
            SeatStatus::More => Wait::More,
            _ => Wait::Idle,
        })
    }

    fn check_memory(&mut self, _now_ns: u64) -> Result<(), BackupLoss> {
        Ok(())
    }

    fn start(&self) -> Order {
        self.order(EntryReason::StartPrimary)
    }

    fn promote(&mut self) -> Result<Order, BackupLoss> {
        Ok(self.order(EntryReason::Promote))
    }

    fn join(&self, _: u32) -> Option<Order> {
        Some(self.order(EntryReason::JoinCore))
    }

    fn kind(&self) -> &'static Kind {
        &NATIVE
    }
}
