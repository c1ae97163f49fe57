//! What the state machine asks of the kernel that runs it.

use sharedmem::mailbox::ComputeOrder;

use crate::record::ConnectionId;

/// The kernel around the service.
///
/// On the primary the effects are real. A kernel that replays gets the same calls, and ignores what has been done
/// already.
pub trait Host {
    /// Sends `bytes` to a client. Long replies come in several calls, in order. The host does flow control: if the
    /// client does not read, it keeps the bytes or ends the connection (and journals its close).
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]);

    /// Ends a connection once every reply so far is sent. The service has forgotten it already.
    fn hang_up(&mut self, connection: ConnectionId);

    /// Injects a fault or runs a measurement. A replaying host ignores it.
    fn debug(&mut self, command: DebugCommand);

    /// Passes a request of the operator to the machine's monitor. A replaying host ignores it: the monitor was asked
    /// once, by a kernel that may be dead.
    fn operate(&mut self, command: OperatorCommand<'_>);

    /// Counts work, for the failure detector. It is called at least every 256 elements of any long loop.
    fn progress(&mut self);
}

/// An `UNDERSTUDY` subcommand: a request of the operator to the machine's monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand<'a> {
    /// Load an image as the backup.
    Load {
        /// The image file.
        image: &'a [u8],
    },
    /// Load a backup, if there is none.
    Arm,
    /// Give the backup up.
    Disarm,
    /// Try a refused takeover again.
    Retry,
    /// Give an order to a compute slice, or ask for its state.
    Compute {
        /// What is asked.
        order: ComputeOrder,
        /// The slice's name, and for a start, behind a blank, what is to be computed.
        text: &'a [u8],
    },
}

/// A `DEBUG` subcommand that the kernel carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugCommand {
    /// The kernel panics.
    Panic,
    /// Cores stop doing anything, silently.
    Hang(HangTarget),
    /// The kernel faults inside a fault handler.
    DoubleFault,
    /// The journal keeps nothing for later readers any more, so that the next checkpoint is written at once.
    Checkpoint,
    /// The next kernel that is promoted panics at once.
    PromotionPanic,
    /// The next kernel that is promoted hangs at once.
    PromotionHang,
    /// The kernel panics, and so does every kernel that replays the command.
    Poison,
    /// The kernel faults without a handler: the processor shuts down, and the platform is reset.
    TripleFault,
    /// A core of the kernel gets an NMI that no fence sent.
    Nmi,
    /// The stack overflows into its guard page.
    StackOverflow,
    /// The kernel writes into another instance's memory.
    WildWrite,
    /// The kernel damages the last journal record, and panics.
    CorruptTail,
    /// The backup panics.
    BackupPanic,
    /// The backup hangs.
    BackupHang,
    /// A part breaks without which nobody is served; the main loop goes on.
    Break(BrokenPart),
    /// The kernel logs more than its log takes.
    LogFlood {
        /// Number of lines.
        lines: u64,
    },
    /// The kernel measures append and commit.
    JournalBench {
        /// Number of records.
        records: u64,
    },
    /// The kernel dies at a given instant, whatever the service's core does then.
    DieIn {
        /// Time from the command to the death, in ns.
        delay_ns: u64,
        /// How it dies.
        end: DeathKind,
    },
    /// The main loop sleeps.
    Sleep {
        /// Duration, in microseconds.
        duration_us: u64,
    },
}

/// How a kernel dies at a given instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathKind {
    /// It panics.
    Panic,
    /// The service's core stops silently, with interrupts off.
    Hang,
}

/// What a `DEBUG HANG` stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangTarget {
    /// The service's core, with interrupts off.
    ThisCore,
    /// The core with this number, with interrupts off.
    Core(u32),
    /// Every core of the instance, with interrupts off.
    AllCores,
    /// The same, in VMX root operation, where INIT does not stop a core.
    AllCoresInVmx,
    /// The main loop, while interrupts stay on: the timer goes on ticking.
    MainLoop,
}

/// What a `DEBUG BREAK` breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenPart {
    /// Bus mastering of the network card is switched off.
    BusMaster,
    /// Memory space of the network card is switched off.
    PciMemory,
    /// The status register of the network card is written 0.
    DeviceStatus,
    /// The used index of the receive queue jumps.
    ReceiveUsed,
    /// The used index of the transmit queue jumps.
    TransmitUsed,
    /// The used index of the receive queue goes back.
    ReceiveBehind,
    /// The page-table entry of the network card's registers leads elsewhere.
    NicPage,
    /// The page-table entry of the words that notify the network card leads elsewhere.
    NotifyPage,
    /// The page-table entry of the heap around the receive queue leads elsewhere.
    HeapPage,
    /// The code that lets frames leave does nothing.
    Gate,
    /// The code that submits input to the service does nothing.
    Service,
}

impl BrokenPart {
    /// All parts, by name.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("bus-master", Self::BusMaster),
        ("pci-memory", Self::PciMemory),
        ("device-status", Self::DeviceStatus),
        ("receive-used", Self::ReceiveUsed),
        ("transmit-used", Self::TransmitUsed),
        ("receive-behind", Self::ReceiveBehind),
        ("nic-page", Self::NicPage),
        ("notify-page", Self::NotifyPage),
        ("heap-page", Self::HeapPage),
        ("gate", Self::Gate),
        ("service", Self::Service),
    ];
}
