//! What a fault came to.

use std::fmt;

use crate::observed::Observed;

/// What a fault came to, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nobody noticed, and nothing was lost, also at the next death.
    Harmless,
    /// The backup was lost, and another one was armed.
    BackupLostAndRearmed,
    /// The backup took over.
    TakenOver,
    /// The machine was reset, and its state was back.
    ResetStateBack,
    /// It was said, and nothing else was done.
    Alarm,
    /// The machine serves and is never protected again.
    Unprotected,
    /// Nobody was answered any more, at once or after the next death.
    Hung,
    /// An acknowledged write, a reply or the state is gone, or wrong bytes were served.
    LostData,
}

impl Outcome {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::BackupLostAndRearmed => "backup-lost-and-rearmed",
            Self::TakenOver => "taken-over",
            Self::ResetStateBack => "reset-state-back",
            Self::Alarm => "alarm",
            Self::Unprotected => "unprotected",
            Self::Hung => "hung",
            Self::LostData => "lost-data",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Observed {
    /// Says what the fault came to. A wrong value in memory that was reported is no lost data: there is no second copy
    /// that is known to be right.
    pub fn outcome(&self) -> Outcome {
        let is_reported = self.takeovers + self.resets + self.losses + self.alarms > 0;
        if self.lost > 0 || self.is_probe_wrong && !is_reported {
            Outcome::LostData
        } else if self.is_hung {
            Outcome::Hung
        } else if !self.is_protected {
            Outcome::Unprotected
        } else if self.resets > 0 {
            Outcome::ResetStateBack
        } else if self.takeovers > 0 {
            Outcome::TakenOver
        } else if self.losses > 0 {
            Outcome::BackupLostAndRearmed
        } else if self.alarms > 0 {
            Outcome::Alarm
        } else {
            Outcome::Harmless
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_was_observed_decides() {
        let well = Observed {
            is_protected: true,
            ..Observed::default()
        };
        assert_eq!(well.outcome(), Outcome::Harmless);
        assert_eq!(Observed::default().outcome(), Outcome::Unprotected);
        let taken_over = Observed {
            takeovers: 1,
            losses: 1,
            ..well
        };
        assert_eq!(taken_over.outcome(), Outcome::TakenOver);
        let hung = Observed {
            is_hung: true,
            ..taken_over
        };
        assert_eq!(hung.outcome(), Outcome::Hung);
        assert_eq!(Observed { lost: 1, ..hung }.outcome(), Outcome::LostData);
    }

    #[test]
    fn a_wrong_value_is_lost_data_unless_it_was_reported() {
        let wrong = Observed {
            is_protected: true,
            is_probe_wrong: true,
            ..Observed::default()
        };
        assert_eq!(wrong.outcome(), Outcome::LostData);
        let reported = Observed { losses: 1, ..wrong };
        assert_eq!(reported.outcome(), Outcome::BackupLostAndRearmed);
        assert_eq!(Observed { alarms: 1, ..wrong }.outcome(), Outcome::Alarm);
    }
}
