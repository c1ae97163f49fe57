//! What the state machine asks of whoever runs it.

use crate::record::ConnectionId;

/// The kernel around the service.
///
/// On the primary the effects are real. A kernel that replays drops what has already been done, but the calls are the same.
pub trait Host {
    /// Sends `bytes` to a client. Long replies come in several calls, in order. The host does the flow control: if the client does
    /// not read, the host keeps the bytes or ends the connection (and journals its close).
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]);

    /// Ends the connection once every reply so far has gone out. The service has already forgotten it.
    fn hang_up(&mut self, connection: ConnectionId);

    /// Injects a fault or runs a measurement. A replaying host ignores it.
    fn debug(&mut self, command: DebugCommand);

    /// What only the kernel knows, for `INFO` and `ROLE`. These replies are as equal on two kernels as the two statuses are.
    fn status(&self) -> HostStatus;

    /// Called at least every 256 elements of any long loop; the failure detector counts it as a sign of work.
    fn progress(&mut self);
}

/// Which part the kernel plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// It serves.
    #[default]
    Primary,
    /// It waits.
    Backup,
}

/// What only the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HostStatus {
    /// Which part the kernel plays.
    pub role: Role,
    /// Raised by every takeover.
    pub epoch: u64,
    /// Whether a backup is ready.
    pub protected: bool,
    /// Age of the backup's last keepalive, in microseconds; `None` without a backup.
    pub keepalive_age_us: Option<u64>,
    /// Bytes journaled since the machine was started; the offset `ROLE` gives.
    pub journal_position: u64,
    /// Bytes journaled and not yet applied by the backup.
    pub journal_lag_bytes: u64,
    /// TCP port.
    pub port: u16,
    /// Milliseconds since the machine was started.
    pub uptime_ms: u64,
    /// Cores of this instance.
    pub cores: u32,
    /// How many takeovers there were.
    pub takeovers: u32,
    /// The last one.
    pub last_takeover: Option<Takeover>,
    /// Version of the kernel.
    pub version: &'static str,
}

/// One takeover: its cause, and how long each phase took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Takeover {
    /// One word: `panic`, `timeout`, ...
    pub cause: &'static str,
    /// Last keepalive to detected.
    pub detect_us: u64,
    /// Detected to every core fenced.
    pub fence_us: u64,
    /// Fenced to interrupt controllers seized.
    pub interrupts_us: u64,
    /// Interrupts seized to devices adopted.
    pub devices_us: u64,
    /// Devices adopted to journal replayed.
    pub replay_us: u64,
    /// Replayed to the first reply; `None` until there was one.
    pub first_reply_us: Option<u64>,
    /// Detected to the first reply; `None` until there was one.
    pub total_us: Option<u64>,
}

/// A `DEBUG` subcommand that is the kernel's to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugCommand {
    /// The kernel panics.
    Panic,
    /// Cores stop doing anything, silently.
    Hang(HangTarget),
    /// A fault inside the handler of a fault.
    DoubleFault,
    /// The stack runs into its guard page.
    StackOverflow,
    /// A write into memory that is another instance's.
    WildWrite,
    /// Damages the last journal record, and panics.
    CorruptTail,
    /// The backup panics.
    BackupPanic,
    /// The backup hangs.
    BackupHang,
    /// Measures append and commit of this many records.
    JournalBench {
        /// How many.
        records: u64,
    },
    /// The main loop stands still for a time.
    Sleep {
        /// How long, in microseconds.
        duration_us: u64,
    },
}

/// What hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangTarget {
    /// The service's core, with interrupts off.
    ThisCore,
    /// The core with this number, with interrupts off.
    Core(u32),
    /// Every core of the instance, with interrupts off.
    AllCores,
    /// The main loop, while interrupts stay on: the timer goes on ticking.
    MainLoop,
}
