//! A kernel as its replica sees it.

use std::fmt::Display;
use std::rc::Rc;

use replica::{Host, ReplicaLimits, ReplicationStatus};
use service::{DebugCommand, HostStatus, OperatorCommand};
use sharedmem::crc32c::Crc32c;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::{Instance, SharedRegion};
use takeover::DetectorConfig;

use crate::kernels::incarnation::Incarnation;
use crate::machine::US;
use crate::world::World;

/// The kernel of one incarnation.
#[derive(Clone)]
pub struct Kernel {
    world: Rc<World>,
    /// The number and not the incarnation itself, because the incarnation holds a replica that holds a kernel.
    incarnation: u32,
}

impl Kernel {
    /// Makes the kernel of an incarnation.
    pub fn new(world: &Rc<World>, incarnation: &Incarnation) -> Self {
        Self {
            world: Rc::clone(world),
            incarnation: incarnation.number,
        }
    }

    fn incarnation(&self) -> Rc<Incarnation> {
        self.world.incarnations.get(self.incarnation)
    }

    /// Ends the core that executes: it leaves an epitaph and sends its last interrupt.
    pub fn end(&self, cause: EpitaphCause, message: &str) -> ! {
        let incarnation = self.incarnation();
        incarnation.die(&self.world, cause, message)
    }
}

impl Host for Kernel {
    fn region(&self) -> SharedRegion {
        self.world.memory.region
    }

    fn crc(&self) -> Crc32c {
        Crc32c::detect()
    }

    fn instance(&self) -> Instance {
        self.incarnation().instance
    }

    fn limits(&self) -> ReplicaLimits {
        ReplicaLimits {
            service: service::ServiceLimits {
                debug: true,
                admin: true,
                ..service::ServiceLimits::default()
            },
            unacked_bytes_max: 1 << 20,
            records_bytes_max: 1 << 16,
        }
    }

    fn detector(&self) -> DetectorConfig {
        self.world.scenario.detector()
    }

    fn now_ns(&self) -> u64 {
        self.world.now_ns()
    }

    fn entropy(&self) -> u64 {
        self.world.random.below(u64::MAX)
    }

    fn advance(&self) {
        let progress = &self.incarnation().progress[0];
        progress.set(progress.get() + 1);
    }

    fn pause(&self) {
        self.world.spend(US);
    }

    fn die(&self, cause: EpitaphCause, reason: &dyn Display) -> ! {
        self.end(cause, &reason.to_string())
    }

    fn superseded(&self, epoch: u64) -> ! {
        self.end(
            EpitaphCause::Superseded,
            &format!("the machine is in epoch {epoch}"),
        )
    }

    fn status(&self, replication: &ReplicationStatus) -> HostStatus {
        HostStatus {
            is_backup: false,
            epoch: self.incarnation().epoch.get(),
            obstacles: replication.obstacles,
            journal_position: replication.journal_position,
            state_fault: replication.state_fault,
            state_faults: replication.state_faults,
            ..HostStatus::default()
        }
    }

    fn print(&self, _: &[u8]) {}

    fn debug(&self, command: DebugCommand) {
        match command {
            DebugCommand::Poison => self.end(EpitaphCause::Panic, "DEBUG POISON"),
            DebugCommand::Panic => self.end(EpitaphCause::Panic, "DEBUG PANIC"),
            _ => {}
        }
    }

    fn operate(&self, _: OperatorCommand<'_>) {}
}
