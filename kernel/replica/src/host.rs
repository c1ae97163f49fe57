//! The kernel around a replica, as far as a replica needs one.

use core::fmt::Display;

use service::{DebugCommand, HostStatus, OperatorCommand, ServiceLimits};
use sharedmem::cause::StateFault;
use sharedmem::crc32c::Crc32c;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::obstacle::Obstacles;
use sharedmem::sync::Ordering;
use sharedmem::{Instance, SharedRegion};
use takeover::DetectorConfig;

/// Limits of a replica's state. They are the same on both instances, because replies depend on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// Limits of the service.
    pub service: ServiceLimits,
    /// Most unacknowledged bytes of replies, for all clients together.
    pub unacked_bytes_max: usize,
    /// Memory for the records that the programs of a Linux appended, in bytes.
    pub records_bytes_max: usize,
}

/// What a primary knows of its replication, for `INFO` and `ROLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicationStatus {
    /// Why no takeover would follow a death.
    pub obstacles: Obstacles,
    /// When the monitor was last heard of, in ns since the machine's boot.
    pub monitor_seen_ns: Option<u64>,
    /// Bytes journaled since the journal's beginning.
    pub journal_position: u64,
    /// Bytes journaled and not yet applied by the backup.
    pub journal_lag_bytes: u64,
    /// What is wrong with the primary's state, if something is.
    pub state_fault: Option<StateFault>,
    /// How often that was found.
    pub state_faults: u64,
}

/// The kernel that a replica lives in. It is a handle: cheap to clone.
pub trait Host: Clone {
    /// Returns the region shared with the other kernels.
    fn region(&self) -> SharedRegion;

    /// Returns the CRC that suits this processor.
    fn crc(&self) -> Crc32c;

    /// Returns which instance this is.
    fn instance(&self) -> Instance;

    /// Returns the limits of the state.
    fn limits(&self) -> ReplicaLimits;

    /// Returns when the monitor counts as dead.
    fn detector(&self) -> DetectorConfig;

    /// Returns the time since the machine's boot, in ns.
    fn now_ns(&self) -> u64;

    /// Returns the service's time at `now_ns`, in ms. After a reset it goes on from the last keepalive before.
    fn service_ms(&self, now_ns: u64) -> u64 {
        let before_ns = &self.region().control.header.time_before_ns;
        now_ns.saturating_add(before_ns.load(Ordering::Relaxed)) / 1_000_000
    }

    /// Returns a word that nobody outside can predict.
    fn entropy(&self) -> u64;

    /// Counts work: a round of the main loop, or a part of a long piece of work.
    fn advance(&self);

    /// Waits for a moment, because another kernel has to do something first.
    fn pause(&self);

    /// Ends this kernel, because `reason` makes it unfit to serve.
    fn die(&self, cause: EpitaphCause, reason: &dyn Display) -> !;

    /// Stops this kernel: the machine is in `epoch`, in which it is not the primary.
    fn superseded(&self, epoch: u64) -> !;

    /// Returns the kernel's status, for `INFO` and `ROLE`.
    fn status(&self, replication: &ReplicationStatus) -> HostStatus;

    /// Prints a reply to the console.
    fn print(&self, bytes: &[u8]);

    /// Injects a fault.
    fn debug(&self, command: DebugCommand);

    /// Passes a request of the operator to the monitor.
    fn operate(&self, command: OperatorCommand<'_>);
}
