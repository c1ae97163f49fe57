//! The kernel around a replica, as far as a replica needs one.

use service::{DebugCommand, HostStatus, OperatorCommand};
use sharedmem::crc32c::Crc32c;
use sharedmem::sync::Ordering;
use sharedmem::{Instance, SharedRegion};
use takeover::DetectorConfig;

use crate::backup_monitor::BackupMonitor;
use crate::replica::SharedJournal;

/// What the state may grow to, and what clients may do; the same on both instances, as replies depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// The service's.
    pub service: service::ServiceLimits,
    /// Most bytes that all clients together are owed.
    pub unacked_bytes_max: usize,
    /// Memory for the records that programs of a Linux appended, in bytes.
    pub records_bytes_max: usize,
}

/// The kernel that a replica lives in. A handle: cheap to clone.
pub trait Host: Clone {
    /// Returns what is shared with the other kernels.
    fn region(&self) -> SharedRegion;

    /// Returns the CRC that this processor computes.
    fn crc(&self) -> Crc32c;

    /// Returns which instance this is.
    fn instance(&self) -> Instance;

    /// Returns what the state may grow to.
    fn limits(&self) -> ReplicaLimits;

    /// Returns when the seat counts as dead.
    fn detector(&self) -> DetectorConfig;

    /// Time since the machine's boot, in ns.
    fn now_ns(&self) -> u64;

    /// Returns the service's time at `now_ns`, in ms: it goes on over resets, from where it stood at the last keepalive before.
    fn service_ms(&self, now_ns: u64) -> u64 {
        let before_ns = &self.region().control.header.time_before_ns;
        now_ns.saturating_add(before_ns.load(Ordering::Relaxed)) / 1_000_000
    }

    /// A word that nobody outside can foretell.
    fn entropy(&self) -> u64;

    /// Returns the main loop came round, or a long piece of work went on: a sign of life.
    fn advance(&self);

    /// Nothing can be done before another kernel has done something. Returns after a moment.
    fn pause(&self);

    /// Returns the machine is in `epoch`, which is not the one that this kernel owns it in: it stops.
    fn superseded(&self, epoch: u64) -> !;

    /// Returns what `INFO` and `ROLE` tell of the kernel.
    fn status(&self, seat: &BackupMonitor, journal: SharedJournal) -> HostStatus;

    /// Prints a reply to the console.
    fn print(&self, bytes: &[u8]);

    /// Injects a fault.
    fn debug(&self, command: DebugCommand);

    /// Asks the monitor.
    fn operate(&self, command: OperatorCommand<'_>);
}
