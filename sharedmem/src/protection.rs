//! Whether there is a backup that may take over: one word on which primary and monitor agree by compare-and-swap.

use crate::numbered::numbered;
use crate::sync::{AtomicU64, Ordering};

numbered! {
    /// State of the machine's protection.
    pub enum ProtectionState {
        NoBackup = 0, "no-backup", "no backup waits";
        /// It holds everything up to its cursor.
        Armed = 1, "armed", "a backup waits that may take over";
        /// The monitor claimed the machine: the primary must not drop journal any more.
        Claimed = 2, "claimed", "a takeover is under way";
        /// The primary had to drop journal that the backup had not consumed; the backup is stale for good.
        Dropped = 3, "dropped", "the backup was dropped for journal room";
        /// The primary is to tell it, and to keep the journal for it.
        Filling = 4, "filling", "a new backup is being told the state";
    }
}

/// The word. Monitor: [`fill`](Self::fill), [`arm`](Self::arm), [`claim`](Self::claim), [`withdraw`](Self::withdraw). Primary: [`drop_backup`](Self::drop_backup).
#[repr(C)]
#[derive(Debug, Default)]
pub struct ProtectionWord(AtomicU64);

impl ProtectionWord {
    /// The state; an unknown number reads as [`ProtectionState::NoBackup`], the safe side.
    pub fn state(&self) -> ProtectionState {
        let number = self.0.load(Ordering::Acquire);
        ProtectionState::from_number(number).unwrap_or(ProtectionState::NoBackup)
    }

    /// The monitor says that a backup waits to be told the state.
    pub fn fill(&self) {
        self.0
            .store(ProtectionState::Filling.number(), Ordering::Release);
    }

    /// The monitor says that the backup was told everything, and is ready. False if the primary gave it up before.
    #[must_use]
    pub fn fill_to_arm(&self) -> bool {
        self.swap(ProtectionState::Filling, ProtectionState::Armed)
    }

    /// The monitor says that a ready backup waits.
    pub fn arm(&self) {
        self.0
            .store(ProtectionState::Armed.number(), Ordering::Release);
    }

    /// The monitor says that there is no backup (any more).
    pub fn withdraw(&self) {
        self.0
            .store(ProtectionState::NoBackup.number(), Ordering::Release);
    }

    /// The monitor begins a takeover. False if the primary dropped the backup before: then it is stale and must not be promoted.
    #[must_use]
    pub fn claim(&self) -> bool {
        self.swap(ProtectionState::Armed, ProtectionState::Claimed)
    }

    /// The primary gives the backup up, to go on without journal space. False if there was none, or the monitor was faster and a
    /// takeover is under way.
    #[must_use]
    pub fn drop_backup(&self) -> bool {
        // Round again only if the monitor armed the backup between two looks.
        loop {
            let state = self.state();
            match state {
                ProtectionState::Armed | ProtectionState::Filling => {}
                _ => return false,
            }
            if self.swap(state, ProtectionState::Dropped) {
                return true;
            }
        }
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
