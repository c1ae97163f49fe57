//! Notices: what the machine logs of a takeover.

use core::fmt;

use sharedmem::cause::BackupLoss;
use sharedmem::event::{self, Word};

use crate::cores::CoreSet;
use crate::event::Stage;
use crate::failure::Failure;

/// A line for the log: one of the events of [`sharedmem::event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The primary sent its first keepalive, or the first one after it was believed dead.
    PrimaryUp {
        /// Its epoch.
        epoch: u64,
    },
    /// A backup is ready to take over.
    Protected,
    /// There is no backup.
    Unprotected(BackupLoss),
    /// The primary is dead, and the backup is not ready yet.
    WaitingForBackup(Failure),
    /// The primary is dead; the backup takes over.
    TakeoverBegan {
        /// The failure.
        failure: Failure,
        /// The epoch after the takeover, which is also the number of its timeline.
        epoch: u64,
    },
    /// The executor was absent, and what it did not see counts against nobody.
    SeatAbsent {
        /// For how long after a look was due, in ns.
        unseen_ns: u64,
        /// How often since the machine was made.
        absences: u64,
    },
    /// Cores did not check in at the fence; they get another round.
    FenceRetry {
        /// The number of the round that begins.
        round: u32,
        /// The cores that are missing.
        pending: CoreSet,
    },
    /// The takeover ended without a promotion; it can be requested again.
    Refused(Refusal),
    /// The primary is dead and there is no backup: no instance serves. Sent once per death.
    Dead(Failure),
    /// The primary was told to halt, or to power the machine off.
    Stopped,
}

/// Why a takeover was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// These cores did not check in at the fence. They may still be running, so no device was touched.
    Unproven {
        /// The cores that are missing.
        missing: CoreSet,
    },
    /// The executor could not complete this stage.
    StageFailed(Stage),
}

/// Writes the notice as the line of its event.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PrimaryUp { epoch } => event::PrimaryUp { epoch }.fmt(f),
            Self::Protected => event::BackupReady {}.fmt(f),
            Self::Unprotected(loss) => event::BackupLost { loss }.fmt(f),
            Self::WaitingForBackup(Failure { cause, core }) => {
                event::WaitingForBackup { cause, core }.fmt(f)
            }
            Self::TakeoverBegan {
                failure: Failure { cause, core },
                epoch,
            } => event::TakeoverBegan { epoch, cause, core }.fmt(f),
            Self::SeatAbsent {
                unseen_ns,
                absences,
            } => event::SeatAbsent {
                unseen_ns,
                absences,
            }
            .fmt(f),
            Self::FenceRetry { round, pending } => {
                let cores = pending.iter().collect();
                event::FenceRetry { round, cores }.fmt(f)
            }
            Self::Refused(Refusal::Unproven { missing }) => {
                let cores = missing.iter().collect();
                event::FenceRefused { cores }.fmt(f)
            }
            Self::Refused(Refusal::StageFailed(stage)) => {
                let stage = Word::of(stage);
                event::TakeoverRefused { stage }.fmt(f)
            }
            Self::Stopped => event::Stopped {}.fmt(f),
            Self::Dead(Failure { cause, core }) => event::Dead { cause, core }.fmt(f),
        }
    }
}
