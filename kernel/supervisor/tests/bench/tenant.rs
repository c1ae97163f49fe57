//! What the machine runs.

use std::rc::Rc;

use partition::Kind;
use sharedmem::Instance;
use supervisor::{Order, Readiness, Source, Tenant, Wait};
use takeover::BackupLoss;

use super::{Bench, CORES, World};

/// An instance that is always ready. Its orders tell which one it is.
pub struct Ready {
    pub world: Rc<World>,
    pub kind: &'static Kind,
    pub instance: Instance,
    pub source: Source,
}

impl Ready {
    fn order(&self) -> Order {
        Order {
            page_table: 0,
            entry: self.instance.number(),
            stack_top: 0,
            arguments: [0; 3],
        }
    }
}

impl Tenant<Bench> for Ready {
    fn instance(&self) -> Instance {
        self.instance
    }

    fn source(&self) -> &Source {
        &self.source
    }

    fn version(&self) -> &str {
        match self.instance {
            Instance::A => "1.0",
            Instance::B => "2.0",
        }
    }

    fn cores(&self) -> &[u32] {
        &CORES
    }

    fn fixed_bytes(&self) -> u64 {
        0
    }

    fn prepare(&mut self, _: &mut supervisor::Dispatch<Bench>) -> Result<Readiness, BackupLoss> {
        Ok(Readiness::Ready)
    }

    fn work(&mut self) -> Result<Wait, BackupLoss> {
        Ok(Wait::Idle)
    }

    fn check_memory(&mut self, _now_ns: u64) -> Result<(), BackupLoss> {
        match self.world.is_altered.get() {
            true => Err(BackupLoss::Damaged),
            false => Ok(()),
        }
    }

    fn start(&self) -> Order {
        self.order()
    }

    fn promote(&mut self) -> Result<Order, BackupLoss> {
        Ok(self.order())
    }

    fn join(&self, _core: u32) -> Option<Order> {
        Some(self.order())
    }

    fn kind(&self) -> &'static Kind {
        self.kind
    }
}
