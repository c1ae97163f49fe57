//! A kernel, as the replica in it sees it.

use std::fmt::Write as _;

use replica::{BackupMonitor, Host, ReplicaLimits, SharedJournal};
use service::{DebugCommand, HostStatus, OperatorCommand, Role};
use sharedmem::crc32c::Crc32c;
use sharedmem::epitaph::{EpitaphCause, EpitaphText};
use sharedmem::{Instance, SharedRegion};
use takeover::DetectorConfig;

use crate::machine::core::interrupt;
use crate::world::{US, world};

/// The kernel of one incarnation.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Number of the incarnation.
    pub incarnation: u32,
}

impl Kernel {
    /// The core that executes dies with an epitaph, and sends its last word.
    pub fn die(self, cause: EpitaphCause, message: &str) -> ! {
        let world = world();
        let incarnation = world.incarnation(self.incarnation);
        if let Some(core) = world.current() {
            core.is_deaf.set(true);
            world.owner_died();
        }
        let mut text = EpitaphText::new(incarnation.epoch.get(), cause, 0);
        let _ = text.write_str(message);
        text.time_ns = world.now_ns();
        world.region.control.epitaphs[incarnation.instance].write(&text);
        world.send_interrupt(0, interrupt::EPITAPH);
        drop(incarnation);
        world.halt()
    }
}

impl Host for Kernel {
    fn region(&self) -> SharedRegion {
        world().region
    }

    fn crc(&self) -> Crc32c {
        Crc32c::detect()
    }

    fn instance(&self) -> Instance {
        world().incarnation(self.incarnation).instance
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
        world().scenario.detector()
    }

    fn now_ns(&self) -> u64 {
        world().now_ns()
    }

    fn entropy(&self) -> u64 {
        world().below(u64::MAX)
    }

    fn advance(&self) {
        let progress = &world().incarnation(self.incarnation).progress[0];
        progress.set(progress.get() + 1);
    }

    fn pause(&self) {
        world().spend(US);
    }

    fn superseded(&self, epoch: u64) -> ! {
        self.die(
            EpitaphCause::Superseded,
            &format!("the machine is in epoch {epoch}"),
        )
    }

    fn status(&self, seat: &BackupMonitor, journal: SharedJournal) -> HostStatus {
        HostStatus {
            role: Role::Primary,
            epoch: world().incarnation(self.incarnation).epoch.get(),
            protected: seat.is_protected(),
            journal_position: journal.cursors().reserved,
            ..HostStatus::default()
        }
    }

    fn print(&self, _: &[u8]) {}

    fn debug(&self, command: DebugCommand) {
        match command {
            DebugCommand::Poison => self.die(EpitaphCause::Panic, "DEBUG POISON"),
            DebugCommand::Panic => self.die(EpitaphCause::Panic, "DEBUG PANIC"),
            _ => {}
        }
    }

    fn operate(&self, _: OperatorCommand<'_>) {}
}
