//! What can happen to the machine.

use core::fmt;

use sharedmem::cause::BackupLoss;

use crate::cores::CoreSet;
use crate::detector::Beat;

/// Something that happened. The executor passes it with the time at which it learned of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Time has passed. Comes last in every wake-up, after the slot was observed at the same `now`.
    Tick,
    /// The owner's keepalive slot holds this. Not passed when the slot holds nothing whole.
    Observed(&'a Beat),
    /// An epitaph was found.
    Epitaph {
        /// Epoch of the kernel that left it; another than the owner's is ignored.
        epoch: u64,
        /// Core that died first, in the owner's own count.
        core: u32,
    },
    /// The owner ended in order and waits to be stopped.
    Ended {
        /// Its epoch; another than the owner's is ignored.
        epoch: u64,
        /// What shall follow.
        ending: Ending,
    },
    /// A core entered the fence page.
    CheckedIn {
        /// Its machine number.
        core: u32,
        /// The generation it found in the page.
        generation: u64,
    },
    /// What an action asked for is done.
    Completed(Stage),
    /// What an action asked for cannot be done.
    Failed(Stage),
    /// The backup on the seat is ready: it may be promoted from now on.
    BackupReady,
    /// The backup on the seat is no more to be used. Final: only [`Event::Rearmed`] brings another.
    BackupLost(BackupLoss),
    /// The primary's image, first, promoted or restarted, cannot be started.
    PrimaryRefused,
    /// The primary is about to be started on the lowest of these cores; the others are asked for by
    /// [`Action::StartRemaining`](crate::Action::StartRemaining) at its first keepalive. Passed *before* the first of them runs, so that
    /// a primary that dies at once is fenced, and never once a takeover began. The primary lives in
    /// [`Machine::epoch`](crate::Machine::epoch). Restarts the boot time-out.
    PrimaryStarted {
        /// Every core it gets.
        cores: CoreSet,
    },
    /// A new backup was loaded on the seat and gets ready; [`Event::BackupReady`] follows.
    Rearmed,
    /// The operator asks to try a refused takeover again.
    RetryRequested,
}

/// What shall follow an owner that ended in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is started again. Needs no backup; one that there is, stays.
    Reboot,
    /// The backup goes on.
    Switchover,
}

/// A part of a takeover that the executor does and reports on, in this order.
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
