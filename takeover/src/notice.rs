//! What is logged of a takeover.

use core::fmt;

use sharedmem::cause::BackupLoss;
use sharedmem::event::{self, Word};

use crate::cores::CoreSet;
use crate::event::Stage;
use crate::failure::Failure;

/// A line for the log: one of the events of [`sharedmem::event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The owner sent its first keepalive, or the first after it was believed dead.
    OwnerUp {
        /// Its epoch.
        epoch: u64,
    },
    /// A backup is ready to take over.
    Protected,
    /// There is no backup.
    Unprotected(BackupLoss),
    /// The owner is dead, and the backup not ready yet.
    WaitingForBackup(Failure),
    /// The owner is dead; the backup takes over.
    TakeoverBegan {
        /// Why.
        failure: Failure,
        /// The epoch it leads to, and so the number of its timeline.
        epoch: u64,
    },
    /// Cores did not check in at the fence and are struck again.
    FenceRetry {
        /// The round that begins.
        round: u32,
        /// The cores.
        pending: CoreSet,
    },
    /// The takeover ended with nothing promoted; it can be requested again.
    Refused(Refusal),
    /// The owner is dead and there is no backup: nobody serves. Said once per death.
    Dead(Failure),
}

/// Why a takeover was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// These cores did not check in at the fence. No device was touched: they may still be running.
    Unproven {
        /// The cores.
        missing: CoreSet,
    },
    /// This could not be done.
    StageFailed(Stage),
}

/// The line of the event.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OwnerUp { epoch } => event::PrimaryUp { epoch }.fmt(f),
            Self::Protected => event::BackupReady {}.fmt(f),
            Self::Unprotected(loss) => event::BackupLost { loss }.fmt(f),
            Self::WaitingForBackup(Failure { cause, core }) => {
                event::WaitingForBackup { cause, core }.fmt(f)
            }
            Self::TakeoverBegan {
                failure: Failure { cause, core },
                epoch,
            } => event::TakeoverBegan { epoch, cause, core }.fmt(f),
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
            Self::Dead(Failure { cause, core }) => event::Dead { cause, core }.fmt(f),
        }
    }
}
