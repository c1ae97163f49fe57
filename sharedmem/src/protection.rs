//! Whether there is a backup that may take over: a word on which primary and monitor agree by compare-and-swap.

use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// State of the machine's protection.
    pub enum ProtectionState {
        NoBackup = 0, "no-backup", "no backup waits";
        /// The backup holds everything up to its cursor.
        Armed = 1, "armed", "a backup waits that may take over";
        /// The monitor has claimed the machine: the primary must not drop the backup any more.
        Claimed = 2, "claimed", "a takeover is under way";
        /// The primary dropped journal that the backup had not consumed, so the backup is stale for good.
        Dropped = 3, "dropped", "the backup was dropped because the journal was full";
        /// The primary must write a checkpoint for it, and keep the journal for it.
        Filling = 4, "filling", "a new backup is receiving the state";
    }
}

/// The word. The monitor calls [`fill`](Self::fill), [`arm`](Self::arm), [`claim`](Self::claim) and
/// [`withdraw`](Self::withdraw); the primary calls [`drop_backup`](Self::drop_backup).
#[repr(C)]
#[derive(Debug, Default)]
pub struct ProtectionWord(AtomicU64);

impl ProtectionWord {
    /// Returns the state. An unknown number reads as [`ProtectionState::NoBackup`], which is the safe side.
    pub fn state(&self) -> ProtectionState {
        let number = self.0.load(Ordering::Acquire);
        ProtectionState::from_number(number).unwrap_or(ProtectionState::NoBackup)
    }

    /// Returns whether the word holds one of the states. If not, something wrote there that may not.
    pub fn is_known(&self) -> bool {
        ProtectionState::from_number(self.0.load(Ordering::Acquire)).is_some()
    }

    /// Overwrites the word, as a stray store does. For fault injection.
    pub fn scribble(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Notes, for the monitor, that a backup waits to receive the state.
    pub fn fill(&self) {
        self.0
            .store(ProtectionState::Filling.number(), Ordering::Release);
    }

    /// Notes, for the monitor, that the backup has received the state and is ready. Returns false if the primary has
    /// dropped it.
    #[must_use]
    pub fn fill_to_arm(&self) -> bool {
        self.swap(ProtectionState::Filling, ProtectionState::Armed)
    }

    /// Notes, for the monitor, that a ready backup waits.
    pub fn arm(&self) {
        self.0
            .store(ProtectionState::Armed.number(), Ordering::Release);
    }

    /// Notes, for the monitor, that there is no backup, or none any more.
    pub fn withdraw(&self) {
        self.0
            .store(ProtectionState::NoBackup.number(), Ordering::Release);
    }

    /// Begins a takeover, for the monitor. Returns false if the primary has dropped the backup: then it is stale and
    /// must not be promoted.
    #[must_use]
    pub fn claim(&self) -> bool {
        self.swap(ProtectionState::Armed, ProtectionState::Claimed)
    }

    /// Drops the backup, for the primary, which needs its room in the journal. Returns false if there is none, or if
    /// the monitor was faster and a takeover is under way.
    #[must_use]
    pub fn drop_backup(&self) -> bool {
        // The second attempt is for the monitor that arms the backup between load and swap.
        (0..2).any(|_| match self.state() {
            state @ (ProtectionState::Armed | ProtectionState::Filling) => {
                self.swap(state, ProtectionState::Dropped)
            }
            _ => false,
        })
    }

    fn swap(&self, from: ProtectionState, to: ProtectionState) -> bool {
        self.0
            .compare_exchange(
                from.number(),
                to.number(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_backup_cannot_be_claimed_nor_a_claimed_one_dropped() {
        let word = ProtectionWord::default();
        assert!(!word.claim());
        word.arm();
        assert!(word.drop_backup());
        assert!(!word.claim());
        word.arm();
        assert!(word.claim());
        assert!(!word.drop_backup());
        assert_eq!(word.state(), ProtectionState::Claimed);
    }

    #[test]
    fn a_backup_that_is_filled_is_armed_unless_it_was_given_up() {
        let word = ProtectionWord::default();
        assert!(!word.fill_to_arm());
        word.fill();
        assert!(!word.claim());
        assert!(word.fill_to_arm());
        assert_eq!(word.state(), ProtectionState::Armed);
        word.fill();
        assert!(word.drop_backup());
        assert!(!word.fill_to_arm());
        assert_eq!(word.state(), ProtectionState::Dropped);
    }

    #[test]
    fn scribble_reads_as_no_backup() {
        let word = ProtectionWord::default();
        word.0.store(0xdead, Ordering::Relaxed);
        assert_eq!(word.state(), ProtectionState::NoBackup);
    }
}
