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

    /// Asks the machine's monitor for something. A replaying host ignores it: it was asked once, by a kernel that may be dead.
    fn operate(&mut self, command: OperatorCommand<'_>);

    /// Called at least every 256 elements of any long loop; the failure detector counts it as a sign of work.
    fn progress(&mut self);
}

/// An `UNDERSTUDY` subcommand: what the operator asks of the machine's monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand<'a> {
    /// Load this image as the backup.
    Load {
        /// The file, as it is.
        image: &'a [u8],
    },
    /// Load a backup, if there is none.
    Arm,
    /// Give the backup up.
    Disarm,
    /// Try a refused takeover again.
    Retry,
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
    /// What the journal keeps for later readers is given up: the state has to be told anew.
    Checkpoint,
    /// The next kernel that is promoted panics at once.
    PromotionPanic,
    /// The next kernel that is promoted hangs at once.
    PromotionHang,
    /// As a panic, and again wherever the command is replayed.
    Poison,
    /// A fault that no handler can be found for: the processor shuts down, and the platform is reset.
    TripleFault,
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
    /// The kernel dies at a set instant, whatever the service's core does then.
    DieIn {
        /// How long after the command, in ns.
        delay_ns: u64,
        /// How.
        end: DeathKind,
    },
    /// The main loop stands still for a time.
    Sleep {
        /// How long, in microseconds.
        duration_us: u64,
    },
}

/// How a kernel dies at a set instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathKind {
    /// It panics.
    Panic,
    /// The service's core stops silently, with interrupts off.
    Hang,
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
