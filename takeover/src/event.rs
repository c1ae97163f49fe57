//! The events that the machine takes in.

use core::fmt;

use sharedmem::cause::BackupLoss;
use sharedmem::keepalive::Keepalive;

use crate::cores::CoreSet;

/// Something that happened. The executor passes it with the time at which it learned of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Time has passed. It comes last in every wake-up, after the slot was observed at the same `now`.
    Tick,
    /// The primary's keepalive slot holds this. Not passed while the slot holds no complete keepalive.
    Observed(&'a Keepalive),
    /// An epitaph was found.
    Epitaph {
        /// Epoch of the kernel that wrote it; ignored unless it is the primary's.
        epoch: u64,
        /// Core that died first, in the primary's own count.
        core: u32,
    },
    /// The primary has ended in an orderly way and waits to be stopped.
    Ended {
        /// Its epoch; ignored unless it is the primary's.
        epoch: u64,
        /// What is to follow.
        ending: Ending,
    },
    /// A core entered the fence page.
    CheckedIn {
        /// The core's machine number.
        core: u32,
        /// The generation it found in the page.
        generation: u64,
    },
    /// The executor has completed a stage.
    Completed(Stage),
    /// The executor cannot complete a stage.
    Failed(Stage),
    /// The backup on the seat is ready: it may be promoted from now on.
    BackupReady,
    /// The backup on the seat cannot be used any more. Only [`Event::Rearmed`] brings another.
    BackupLost(BackupLoss),
    /// The primary's image cannot be started: at boot, after promotion, or after a reboot.
    PrimaryRefused,
    /// The primary is about to be started on the lowest of these cores.
    /// [`Action::StartRemaining`](crate::Action::StartRemaining) asks for the others at its first keepalive. The
    /// executor passes this *before* the first core runs, so that a primary that dies at once is fenced; and never
    /// after a takeover has begun. The primary's epoch is [`Machine::epoch`](crate::Machine::epoch). The boot time-out
    /// restarts.
    PrimaryStarted {
        /// All cores it gets.
        cores: CoreSet,
    },
    /// A core of the primary, or one kept for the next one, did not come when it was started, and cannot any more. It
    /// had stopped with proof before and has run nothing since. No fence waits for it, and no successor gets it.
    CoreLeftOut {
        /// The core's machine number.
        core: u32,
        /// Its number in the primary's own count, if the primary has it.
        index: Option<u32>,
    },
    /// A new backup was loaded on the seat and is getting ready; [`Event::BackupReady`] follows.
    Rearmed,
    /// The operator asks to retry a refused takeover.
    RetryRequested,
}

/// What is to follow a primary that ended in an orderly way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is started again. This needs no backup, and an existing backup stays.
    Reboot,
    /// The backup takes over.
    Switchover,
    /// Nothing: the operator ends the machine's work.
    Stop,
}

/// A part of a takeover that the executor carries out and reports on. The order here is the order of the takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// [`Action::RaiseEpoch`](crate::Action::RaiseEpoch).
    RaiseEpoch,
    /// [`Action::SeizeInterrupts`](crate::Action::SeizeInterrupts).
    SeizeInterrupts,
    /// [`Action::QuietDevices`](crate::Action::QuietDevices).
    QuietDevices,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RaiseEpoch => "raising the epoch",
            Self::SeizeInterrupts => "seizing the interrupts",
            Self::QuietDevices => "quieting the devices",
        })
    }
}
