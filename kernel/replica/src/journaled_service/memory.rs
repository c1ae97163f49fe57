//! Whether this primary's memory is as it left it.
//!
//! Nobody but the primary writes some words of shared memory, and no fact can follow that its own state excludes. If
//! something else is found, somebody wrote where only this kernel writes, and nobody knows what else. So the kernel
//! restores what it knows, and dies while a backup can take over. Otherwise it says so, and serves on.

use core::fmt::Display;

use health::Remedy;
use sharedmem::epitaph::EpitaphCause;

use super::JournaledService;
use crate::findings::{log_finding, log_restored};
use crate::host::Host;

/// So often a primary restores words that are overwritten, within [`CALM_NS`].
const RESTORED_MAX: u32 = 1_000;
/// After this time in which all is as it should be, the count begins anew, in ns.
const CALM_NS: u64 = 1_000_000_000;

/// How often this primary had reason to doubt its memory.
pub(super) struct Doubts {
    /// Whether the predecessor died of the same.
    predecessor_died_of_it: bool,
    began_ns: u64,
    /// Number of doubts since the last calm.
    in_a_row: u32,
    /// Number of doubts.
    count: u64,
    last_ns: u64,
}

impl Doubts {
    /// Begins at `now_ns`, without a doubt.
    pub fn new(predecessor: Option<EpitaphCause>, now_ns: u64) -> Self {
        Self {
            predecessor_died_of_it: predecessor == Some(EpitaphCause::MemoryChanged),
            began_ns: now_ns,
            in_a_row: 0,
            count: 0,
            last_ns: now_ns,
        }
    }

    /// Counts a doubt at `now_ns`. Returns what to do about it.
    fn count(&mut self, now_ns: u64, is_protected: bool) -> Remedy {
        if now_ns.saturating_sub(self.last_ns) >= CALM_NS {
            self.in_a_row = 0;
        }
        self.last_ns = now_ns;
        self.count += 1;
        self.in_a_row += 1;
        // Whoever restores without end serves nobody.
        if self.in_a_row > RESTORED_MAX {
            return Remedy::Die;
        }
        let served_ns = now_ns.saturating_sub(self.began_ns);
        Remedy::choose(is_protected, self.predecessor_died_of_it, served_ns)
    }
}

impl<H: Host> JournaledService<H> {
    /// Checks the words that only this primary writes. Restores them if somebody else did, and dies if a backup can
    /// take over.
    pub(super) fn check_words(&mut self) {
        if self.journal.check().is_ok() {
            return;
        }
        // First of all: whoever takes over reads them.
        let Some(overwritten) = self.journal.restore() else {
            return;
        };
        let remedy = self.count_doubt();
        log_restored(&overwritten, self.doubts.count);
        if remedy == Remedy::Die {
            self.host.die(EpitaphCause::MemoryChanged, &overwritten);
        }
    }

    /// Dies if a backup can take over, because this primary's memory made it conclude what cannot be.
    pub(super) fn doubt_memory(&mut self, what: &dyn Display) {
        let remedy = self.count_doubt();
        if self.doubts.count.is_power_of_two() {
            log_finding(what);
        }
        if remedy == Remedy::Die {
            self.host.die(EpitaphCause::MemoryChanged, what);
        }
    }

    fn count_doubt(&mut self) -> Remedy {
        let is_protected = self.backup.look(&self.host).is_none();
        self.doubts.count(self.host.now_ns(), is_protected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_primary_dies_while_a_backup_can_take_over_and_not_soon_after_a_predecessor_that_did() {
        let mut doubts = Doubts::new(None, 0);
        assert_eq!(doubts.count(MS, false), Remedy::Repair);
        assert_eq!(doubts.count(2 * MS, true), Remedy::Die);
        let mut doubts = Doubts::new(Some(EpitaphCause::MemoryChanged), 0);
        assert_eq!(doubts.count(2 * MS, true), Remedy::Repair);
        assert_eq!(doubts.count(60_000 * MS, true), Remedy::Die);
    }

    #[test]
    fn whoever_restores_without_end_dies_and_whoever_does_so_now_and_then_serves_on() {
        let mut doubts = Doubts::new(None, 0);
        let begun = (1..).find(|ms| doubts.count(ms * MS, false) == Remedy::Die);
        assert_eq!(begun, Some(u64::from(RESTORED_MAX) + 1));
        let mut doubts = Doubts::new(None, 0);
        assert!((1..5_000).all(|s| doubts.count(s * CALM_NS, false) == Remedy::Repair));
    }
}
