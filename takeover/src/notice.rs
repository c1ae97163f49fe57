//! What people are told.

use core::fmt;

use sharedmem::cause::BackupLoss;

use crate::cores::CoreSet;
use crate::event::Stage;
use crate::failure::Failure;

/// A line for the log and the console.
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unproven { missing } => write!(f, "no proof that these cores stopped: {missing}"),
            Self::StageFailed(stage) => write!(f, "{stage} failed"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerUp { epoch } => write!(f, "owner of epoch {epoch} is up"),
            Self::Protected => f.write_str("protected: a backup is ready"),
            Self::Unprotected(loss) => write!(f, "unprotected: no backup, {loss}"),
            Self::WaitingForBackup(failure) => write!(
                f,
                "owner dead ({failure}); waiting for the backup to get ready"
            ),
            Self::TakeoverBegan { failure, epoch } => {
                write!(f, "owner dead ({failure}); taking over into epoch {epoch}")
            }
            Self::FenceRetry { round, pending } => {
                write!(f, "fence round {round}: no check-in from cores {pending}")
            }
            Self::Refused(refusal) => {
                write!(f, "takeover refused: {refusal}; nothing was promoted")
            }
            Self::Dead(failure) => write!(f, "owner dead ({failure}) and no backup: nobody serves"),
        }
    }
}
