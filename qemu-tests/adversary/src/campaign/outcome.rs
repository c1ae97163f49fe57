//! What a fault of the campaign came to.

use sharedmem::cause::Cause;

use super::Target;
use crate::observed::Observed;

/// What a fault came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nobody noticed, and nothing was lost, also at the next death.
    NoEffect,
    /// It was said, and nothing else was done.
    Alarm,
    /// The backup was lost, told, and another one was armed.
    BackupLost,
    /// The backup took over, and nothing was lost.
    TakenOver,
    /// The backup took over from a primary that was well.
    FalseTakeover,
    /// The machine was reset, and its state was back.
    ResetStateBack,
    /// The machine serves, says that it is not protected, and never is again.
    Unprotected,
    /// The machine was reset, and its state was gone.
    ResetStateGone,
    /// Nobody was answered any more after the death that was forced at the end.
    Dead,
    /// Nobody was answered any more, and nothing was done about it.
    Hung,
    /// Something acknowledged was lost or wrong, after a takeover or with another sign of damage.
    Lost,
    /// Something acknowledged was lost or wrong, and nobody said so.
    SilentCorruption,
    /// A CPU executed a dead primary after another one had taken over.
    TwoOwners,
}

impl Outcome {
    /// All of them, the mildest first.
    pub const ALL: [Self; 13] = [
        Self::NoEffect,
        Self::Alarm,
        Self::BackupLost,
        Self::TakenOver,
        Self::FalseTakeover,
        Self::ResetStateBack,
        Self::Unprotected,
        Self::ResetStateGone,
        Self::Dead,
        Self::Hung,
        Self::Lost,
        Self::SilentCorruption,
        Self::TwoOwners,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEffect => "no-effect",
            Self::Alarm => "alarm",
            Self::BackupLost => "backup-lost",
            Self::TakenOver => "taken-over",
            Self::FalseTakeover => "false-takeover",
            Self::ResetStateBack => "reset-state-back",
            Self::Unprotected => "unprotected",
            Self::ResetStateGone => "reset-state-gone",
            Self::Dead => "dead",
            Self::Hung => "hung",
            Self::Lost => "lost",
            Self::SilentCorruption => "silent-corruption",
            Self::TwoOwners => "two-owners",
        }
    }

    /// Returns the outcome of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Says whether nothing that was acknowledged is gone, somebody serves, and there is one owner.
    pub const fn is_survived(self) -> bool {
        !matches!(
            self,
            Self::ResetStateGone
                | Self::Dead
                | Self::Hung
                | Self::Lost
                | Self::SilentCorruption
                | Self::TwoOwners
        )
    }

    /// Says what was observed of a fault that struck `target`.
    pub fn of(target: Target, observed: &Observed) -> Self {
        let is_told = observed.takeovers + observed.resets + observed.losses + observed.alarms > 0;
        let is_lost = observed.lost > 0;
        if observed.cpus_left_behind > 0 {
            Self::TwoOwners
        } else if observed.lost_states > 0 {
            Self::ResetStateGone
        } else if (is_lost || observed.is_probe_wrong) && !is_told {
            Self::SilentCorruption
        } else if is_lost {
            Self::Lost
        } else if observed.is_dead_at_last {
            Self::Dead
        } else if observed.is_hung {
            Self::Hung
        } else if !observed.is_protected {
            Self::Unprotected
        } else if observed.resets > 0 {
            Self::ResetStateBack
        } else if observed.takeovers > 0 {
            match Self::is_false(target, observed) {
                true => Self::FalseTakeover,
                false => Self::TakenOver,
            }
        } else if observed.losses > 0 {
            Self::BackupLost
        } else if observed.alarms > 0 {
            Self::Alarm
        } else {
            Self::NoEffect
        }
    }

    /// Says whether nobody was dead: the primary was well, and only was not heard.
    fn is_false(target: Target, observed: &Observed) -> bool {
        let is_silent = observed.cause.is_some_and(|cause| cause == Cause::Silent);
        matches!(target, Target::Others | Target::Machine) && is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Observed {
        Observed {
            is_protected: true,
            ..Observed::default()
        }
    }

    #[test]
    fn a_name_leads_back_to_its_outcome() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::named(outcome.name()), Some(outcome));
        }
        assert_eq!(Outcome::named("fine"), None);
    }

    #[test]
    fn the_worst_decides() {
        let of = |observed: Observed| Outcome::of(Target::Primary, &observed);
        assert_eq!(of(well()), Outcome::NoEffect);
        assert_eq!(
            of(Observed {
                takeovers: 1,
                losses: 1,
                ..well()
            }),
            Outcome::TakenOver
        );
        assert_eq!(
            of(Observed { lost: 1, ..well() }),
            Outcome::SilentCorruption
        );
        assert_eq!(
            of(Observed {
                is_probe_wrong: true,
                ..well()
            }),
            Outcome::SilentCorruption
        );
        assert_eq!(
            of(Observed {
                is_probe_wrong: true,
                losses: 1,
                ..well()
            }),
            Outcome::BackupLost
        );
        assert_eq!(
            of(Observed {
                lost: 1,
                takeovers: 1,
                ..well()
            }),
            Outcome::Lost
        );
        assert_eq!(
            of(Observed {
                lost: 1,
                lost_states: 1,
                ..well()
            }),
            Outcome::ResetStateGone
        );
        assert_eq!(of(Observed::default()), Outcome::Unprotected);
        let hung = Observed {
            is_hung: true,
            ..Observed::default()
        };
        assert_eq!(of(hung), Outcome::Hung);
        assert_eq!(
            of(Observed {
                is_dead_at_last: true,
                ..hung
            }),
            Outcome::Dead
        );
        assert_eq!(
            of(Observed {
                cpus_left_behind: 1,
                ..well()
            }),
            Outcome::TwoOwners
        );
    }

    #[test]
    fn a_takeover_from_a_primary_that_is_well_is_false() {
        let silent = Observed {
            takeovers: 1,
            cause: Some(Cause::Silent),
            ..well()
        };
        assert_eq!(
            Outcome::of(Target::Machine, &silent),
            Outcome::FalseTakeover
        );
        assert_eq!(Outcome::of(Target::Primary, &silent), Outcome::TakenOver);
        let panicked = Observed {
            cause: Some(Cause::Panic),
            ..silent
        };
        assert_eq!(Outcome::of(Target::Others, &panicked), Outcome::TakenOver);
    }
}
