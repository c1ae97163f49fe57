//! A primary and its backup over one shared region, one step at a time.
//!
//! In the simulation each of the two covers a bug of the other: what one takes for true, the other finds different and
//! dies of. Here only one of them looks.

use std::fmt::Display;

use replica::{Host, Inherited, JournaledService, Replica, ReplicaLimits, ReplicationStatus};
use service::{DebugCommand, HostStatus, Input, OperatorCommand, ServiceLimits};
use sharedmem::abi::SeatStatus;
use sharedmem::crc32c::Crc32c;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::sync::{AtomicU64, Ordering};
use sharedmem::{Instance, SharedRegion};
use takeover::DetectorConfig;

const EPOCH: u64 = 1;
const JOURNAL_WORDS: usize = 1 << 15;

/// A kernel that does what a replica asks, and dies by a panic.
#[derive(Clone)]
struct Kernel {
    region: SharedRegion,
    instance: Instance,
}

/// Makes the region of a machine with a primary in epoch 1.
fn region() -> SharedRegion {
    let region = SharedRegion {
        control: Box::leak(Box::default()),
        journal: Vec::leak((0..JOURNAL_WORDS).map(|_| AtomicU64::new(0)).collect()),
    };
    region.control.epoch.reset(EPOCH);
    region
}

impl Kernel {
    fn new(region: SharedRegion, instance: Instance) -> Self {
        Self { region, instance }
    }

    /// Recovers from an empty journal, and serves.
    fn primary(region: SharedRegion) -> JournaledService<Self> {
        let kernel = Self::new(region, Instance::A);
        let mut replica = Replica::new(kernel.clone());
        replica.recover(EPOCH);
        let inherited = Inherited {
            is_damaged: false,
            predecessor: None,
        };
        JournaledService::new(kernel, EPOCH, replica, inherited)
    }

    /// Waits beside the primary.
    fn backup(region: SharedRegion) -> Replica<Self> {
        Replica::new(Self::new(region, Instance::B))
    }
}

impl Host for Kernel {
    fn region(&self) -> SharedRegion {
        self.region
    }

    fn crc(&self) -> Crc32c {
        Crc32c::detect()
    }

    fn instance(&self) -> Instance {
        self.instance
    }

    fn limits(&self) -> ReplicaLimits {
        ReplicaLimits {
            service: ServiceLimits::default(),
            unacked_bytes_max: 1 << 20,
            records_bytes_max: 1 << 16,
        }
    }

    fn detector(&self) -> DetectorConfig {
        DetectorConfig {
            keepalive_ns: 1_000_000,
            timeout_ns: 10_000_000,
            boot_timeout_ns: 100_000_000,
        }
    }

    fn now_ns(&self) -> u64 {
        1_000_000
    }

    fn entropy(&self) -> u64 {
        7
    }

    fn advance(&self) {}

    fn pause(&self) {}

    fn die(&self, cause: EpitaphCause, reason: &dyn Display) -> ! {
        panic!("{cause:?}: {reason}")
    }

    fn superseded(&self, epoch: u64) -> ! {
        panic!("the machine is in epoch {epoch}")
    }

    fn status(&self, _: &ReplicationStatus) -> HostStatus {
        HostStatus::default()
    }

    fn print(&self, _: &[u8]) {}

    fn debug(&self, _: DebugCommand) {}

    fn operate(&self, _: OperatorCommand<'_>) {}
}

/// Lets a client connect and count, `times` times.
fn count(primary: &mut JournaledService<Kernel>, times: usize) {
    let connection = 1;
    for _ in 0..times {
        let bytes = b"INCR n\r\n";
        primary.submit(Input::Bytes { connection, bytes });
    }
}

#[test]
fn a_backup_gives_room_free_only_as_far_as_it_has_read() {
    let region = region();
    let mut primary = Kernel::primary(region);
    let mut backup = Kernel::backup(region);
    region.control.protection.fill();
    count(&mut primary, 500);
    let cursors = || primary.replica.journal().cursors();
    let mut steps = 0;
    while backup.follow() == SeatStatus::More {
        steps += 1;
        assert!(
            cursors().consumed < cursors().reserved,
            "after step {steps}"
        );
    }
    assert!(steps > 2, "the backup has read too much in one step");
    assert_eq!(cursors().consumed, cursors().reserved);
}

#[test]
fn a_primary_restores_each_word_that_it_alone_writes() {
    let region = region();
    let mut primary = Kernel::primary(region);
    count(&mut primary, 3);
    let journal = &region.control.journal;
    let [current, suspect] = journal.applying.words();
    let words = [
        &*journal.reserved,
        &*journal.applied,
        &*journal.retained,
        current,
        suspect,
    ];
    for (number, word) in words.into_iter().enumerate() {
        let right = word.fetch_xor(1 << 20, Ordering::Relaxed);
        primary.check_service().unwrap();
        assert_eq!(word.load(Ordering::Relaxed), right, "word {number}");
    }
}
