//! Why there was a takeover, and why there is no backup.

use core::fmt;

use crate::numbered::numbered;

numbered! {
    /// Why a primary counts as dead, or does not go on. 0 in a timeline is not a cause: that timeline is unused.
    pub enum Cause {
        Panic = 1, "panic", "it left an epitaph";
        Silent = 2, "silent", "no keepalive came within the time-out";
        /// Keepalives come, but this core's main loop makes no progress.
        Hung = 3, "hung", "the main loop of a core stood still for the time-out";
        NeverCameUp = 4, "never-came-up", "no first keepalive came within the boot time-out";
        ImageRefused = 5, "image-refused", "its image was refused";
        Switchover = 6, "switchover", "it asked for a switchover";
        Reboot = 7, "reboot", "it asked to be started again";
    }
}

impl Cause {
    /// Returns whether it is the failure of one core, which is then named with it.
    pub const fn names_core(self) -> bool {
        match self {
            Self::Panic | Self::Hung => true,
            Self::Silent
            | Self::NeverCameUp
            | Self::ImageRefused
            | Self::Switchover
            | Self::Reboot => false,
        }
    }
}

/// Writes what it means.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

numbered! {
    /// Why there is no backup any more. 0 in the shared region is not a loss: no backup was lost yet.
    pub enum BackupLoss {
        ImageRefused = 1, "image-refused", "its image was refused";
        /// It could not get ready, or reported that it cannot go on.
        Failed = 2, "failed", "it could not go on";
        /// It took an exception, or panicked.
        Crashed = 3, "crashed", "it crashed on the seat";
        /// It did not return from a call on the seat in time.
        Hung = 4, "hung", "it hung on the seat";
        /// It is stale: it lacks journal that is gone.
        Dropped = 5, "dropped", "the primary dropped it because the journal was full";
        /// No new one has been loaded yet.
        Promoted = 6, "promoted", "it became the primary";
        Disarmed = 7, "disarmed", "the operator disarmed it";
        Unfilled = 8, "unfilled", "the primary died before the backup had the whole state";
        /// It cannot have what the primary has; the primary has. Or it cannot run.
        Damaged = 9, "damaged", "a record that it read, its text or its page tables are damaged";
        /// At the same position of the journal its state was not the primary's.
        Diverged = 10, "diverged", "its state is not the primary's";
        /// The protection word was overwritten, so the primary may believe that none waits.
        Overwritten = 11, "overwritten", "the word that says that it waits was overwritten";
        /// Its memory changed by itself.
        Corrupt = 12, "corrupt", "a value in its memory is not what was stored";
    }
}

numbered! {
    /// Why the state of a primary that serves is not what it should be. 0 in a record is none.
    pub enum StateFault {
        /// Its memory changed by itself.
        Corrupt = 1, "corrupt", "a value in its memory is not what was stored";
        /// So it is not the backups that are wrong.
        Diverged = 2, "diverged", "two backups in a row had another state at one position of the journal";
    }
}

/// Writes what it means.
impl fmt::Display for StateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Writes what it means.
impl fmt::Display for BackupLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_has_the_number_of_an_empty_word() {
        assert_eq!(
            (Cause::from_number(0), BackupLoss::from_number(0)),
            (None, None)
        );
        for cause in Cause::ALL {
            assert_eq!(Cause::from_number(cause.number()), Some(cause));
        }
    }
}
