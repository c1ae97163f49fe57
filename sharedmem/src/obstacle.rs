//! Obstacles: every reason why no takeover would follow if the primary died now. "Protected" means that there is none.
//!
//! This is the one list of them. What the protection word says and what the monitor knows are in the shared region; a
//! primary adds what it sees of the monitor.

use core::fmt;

use crate::control::Control;
use crate::numbered::numbered;
use crate::protection::ProtectionState;
use crate::sync::Ordering;

numbered! {
    /// Why no takeover would follow a death. Its number is its bit in [`Obstacles`].
    pub enum Obstacle {
        NoBackup = 0, "no-backup", "no backup waits";
        BackupDropped = 1, "backup-dropped", "the backup was dropped because the journal was full";
        BackupFilling = 2, "backup-filling", "a new backup is receiving the state";
        TakeoverUnderWay = 3, "takeover-under-way", "a takeover is under way";
        /// The primary's own observation.
        SeatSilent = 4, "seat-silent", "the seat is silent";
        /// The monitor's. It ends when the cores come or are left out.
        CoresMissing = 5, "cores-missing", "cores do not come when they are started, and may not stop either";
        /// The monitor's. It ends when the backup is replaced.
        BackupDoubted = 6, "backup-doubted", "the backup's state is not the primary's";
        /// The monitor's. A takeover was begun.
        FenceRefused = 7, "fence-refused", "cores did not prove that they have stopped";
        /// The monitor's. A takeover was begun.
        StageRefused = 8, "stage-refused", "the interrupts or the devices could not be taken over";
    }
}

impl Obstacle {
    /// Returns whether it means that there is no backup, or nobody to promote it. With any other one, a backup follows
    /// the journal.
    pub const fn is_loss(self) -> bool {
        match self {
            Self::NoBackup | Self::BackupDropped | Self::TakeoverUnderWay | Self::SeatSilent => {
                true
            }
            Self::BackupFilling
            | Self::CoresMissing
            | Self::BackupDoubted
            | Self::FenceRefused
            | Self::StageRefused => false,
        }
    }

    const fn bit(self) -> u64 {
        1 << self.number()
    }
}

/// A set of obstacles: bit n is the obstacle with the number n. By default there is no backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacles(u64);

impl Default for Obstacles {
    fn default() -> Self {
        Self::NONE.with(Obstacle::NoBackup)
    }
}

impl Obstacles {
    /// No obstacle: a takeover would follow.
    pub const NONE: Self = Self(0);

    /// Returns the set with an obstacle.
    #[must_use]
    pub const fn with(self, obstacle: Obstacle) -> Self {
        Self(self.0 | obstacle.bit())
    }

    /// Returns the set with an obstacle if it `is_there`.
    #[must_use]
    pub const fn with_if(self, obstacle: Obstacle, is_there: bool) -> Self {
        match is_there {
            true => self.with(obstacle),
            false => self,
        }
    }

    /// Reads the set from a word. A bit that this build does not know is an obstacle without a name.
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// Returns the set as a word.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Returns what the shared region says: the protection word and the monitor's own word.
    pub fn of(control: &Control) -> Self {
        let told = Self(control.obstacles.load(Ordering::Acquire));
        match control.protection.state() {
            ProtectionState::Armed => told,
            ProtectionState::NoBackup => told.with(Obstacle::NoBackup),
            ProtectionState::Claimed => told.with(Obstacle::TakeoverUnderWay),
            ProtectionState::Dropped => told.with(Obstacle::BackupDropped),
            ProtectionState::Filling => told.with(Obstacle::BackupFilling),
        }
    }

    /// Returns whether a takeover would follow.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns whether an obstacle is in the set.
    pub const fn has(self, obstacle: Obstacle) -> bool {
        self.0 & obstacle.bit() != 0
    }

    /// Returns whether no backup follows the journal, or nobody would promote it.
    pub fn is_loss(self) -> bool {
        self.iter().any(Obstacle::is_loss)
    }

    /// Iterates over the obstacles, without those that this build does not know.
    pub fn iter(self) -> impl Iterator<Item = Obstacle> {
        Obstacle::ALL.into_iter().filter(move |it| self.has(*it))
    }

    /// Returns the names, for programs: `no-backup,seat-silent`; empty if there is none.
    pub fn names(self) -> impl fmt::Display {
        Written {
            set: self,
            word: Obstacle::name,
            separator: ",",
        }
    }

    /// Returns the meanings, for people: `no backup waits; the seat is silent`; empty if there is none.
    pub fn texts(self) -> impl fmt::Display {
        Written {
            set: self,
            word: Obstacle::text,
            separator: "; ",
        }
    }
}

struct Written {
    set: Obstacles,
    word: fn(Obstacle) -> &'static str,
    separator: &'static str,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.set.iter().map(self.word);
        let is_unknown = Obstacle::ALL
            .iter()
            .fold(self.set.0, |rest, it| rest & !it.bit())
            != 0;
        let words = known.chain(is_unknown.then_some("unknown"));
        for (index, word) in words.enumerate() {
            if index > 0 {
                f.write_str(self.separator)?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_machine_is_protected_only_without_any_obstacle() {
        let control = Control::default();
        assert!(Obstacles::of(&control).has(Obstacle::NoBackup));
        control.protection.arm();
        assert_eq!(Obstacles::of(&control), Obstacles::NONE);
        for obstacle in Obstacle::ALL {
            let told = Obstacles::NONE.with(obstacle);
            control.obstacles.store(told.word(), Ordering::Relaxed);
            assert!(!Obstacles::of(&control).is_none(), "{obstacle:?}");
        }
        // What a later monitor may know.
        control.obstacles.store(1 << 63, Ordering::Relaxed);
        let unknown = Obstacles::of(&control);
        assert!(!unknown.is_none() && !unknown.is_loss());
        assert_eq!(unknown.names().to_string(), "unknown");
    }

    #[test]
    fn every_obstacle_is_named() {
        let both = Obstacles::default().with(Obstacle::CoresMissing);
        assert_eq!(both.names().to_string(), "no-backup,cores-missing");
        assert_eq!(
            both.texts().to_string(),
            "no backup waits; cores do not come when they are started, and may not stop either"
        );
        assert_eq!(Obstacles::NONE.names().to_string(), "");
        assert_eq!(Obstacles::from_word(both.word()), both);
    }

    #[test]
    fn a_protection_word_that_is_not_armed_is_an_obstacle() {
        let control = Control::default();
        for (state, obstacle) in [
            (ProtectionState::NoBackup, Obstacle::NoBackup),
            (ProtectionState::Claimed, Obstacle::TakeoverUnderWay),
            (ProtectionState::Dropped, Obstacle::BackupDropped),
            (ProtectionState::Filling, Obstacle::BackupFilling),
        ] {
            control.protection.scribble(state.number());
            assert_eq!(Obstacles::of(&control), Obstacles::NONE.with(obstacle));
        }
    }
}
