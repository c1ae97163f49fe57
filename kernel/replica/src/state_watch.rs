//! What a primary knows of the soundness of its own state.
//!
//! A value that is not what was stored says so by itself. A backup with another state says nothing about who is wrong;
//! but if the next backup, made from the journal, differs as well, it is the primary.

use alloc::vec::Vec;

use sharedmem::backup::LostBackup;
use sharedmem::cause::{BackupLoss, StateFault};

/// A backup that was protected for so long, in ns, has agreed with the primary many times: the next divergence is
/// another one.
const AGREED_NS: u64 = 60_000_000_000;
/// Time between two reports of damage to values, in ns.
const REPORT_INTERVAL_NS: u64 = 1_000_000_000;

/// A primary's watch over its own state.
#[derive(Debug)]
pub struct StateWatch {
    /// Number of backups that were lost when it looked last.
    losses: u64,
    /// Backups in a row that had another state.
    diverged: u32,
    /// Since when a backup waits, in ns.
    protected_since_ns: Option<u64>,
    fault: Option<StateFault>,
    faults: u64,
    /// The key that was reported last, and when.
    reported: Option<(Vec<u8>, u64)>,
}

impl StateWatch {
    /// Begins, when `losses` backups were lost already.
    pub fn new(losses: u64) -> Self {
        Self {
            losses,
            diverged: 0,
            protected_since_ns: None,
            fault: None,
            faults: 0,
            reported: None,
        }
    }

    /// Returns what is wrong with the state, if something is. That stays: nobody mends it.
    pub fn fault(&self) -> Option<StateFault> {
        self.fault
    }

    /// Returns how often a fault was found.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// Notes that the value of `key` is not what was stored. Returns whether to report it.
    pub fn is_corrupt(&mut self, now_ns: u64, key: &[u8]) -> bool {
        self.fault = Some(StateFault::Corrupt);
        self.faults += 1;
        // Each pass finds it again.
        let is_news = (self.reported.as_ref()).is_none_or(|(reported, at_ns)| {
            reported != key && now_ns.saturating_sub(*at_ns) >= REPORT_INTERVAL_NS
        });
        if is_news {
            self.reported = Some((key.to_vec(), now_ns));
        }
        is_news
    }

    /// Looks at the last backup that was lost. Returns whether it shows that this primary's state is wrong.
    pub fn look(&mut self, now_ns: u64, is_protected: bool, last: Option<LostBackup>) -> bool {
        match (is_protected, self.protected_since_ns) {
            (false, _) => self.protected_since_ns = None,
            (true, None) => self.protected_since_ns = Some(now_ns),
            (true, Some(since_ns)) if now_ns.saturating_sub(since_ns) >= AGREED_NS => {
                self.diverged = 0;
            }
            (true, Some(_)) => {}
        }
        let Some(last) = last.filter(|last| last.count != self.losses) else {
            return false;
        };
        self.losses = last.count;
        self.diverged = match last.loss {
            BackupLoss::Diverged => self.diverged + 1,
            _ => 0,
        };
        let is_wrong = self.diverged >= 2;
        if is_wrong {
            self.diverged = 0;
            self.fault.get_or_insert(StateFault::Diverged);
            self.faults += 1;
        }
        is_wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::Instance;

    const SECOND_NS: u64 = 1_000_000_000;

    fn lost(count: u64, loss: BackupLoss) -> Option<LostBackup> {
        let instance = Instance::B;
        Some(LostBackup {
            count,
            instance,
            loss,
        })
    }

    #[test]
    fn two_backups_in_a_row_that_diverged_show_that_the_primary_is_wrong() {
        let mut watch = StateWatch::new(3);
        let old = lost(3, BackupLoss::Diverged);
        assert!(!watch.look(0, true, old));
        assert!(!watch.look(1, false, lost(4, BackupLoss::Diverged)));
        assert!(!watch.look(2, false, lost(4, BackupLoss::Diverged)));
        assert!(watch.look(3, false, lost(5, BackupLoss::Diverged)));
        assert_eq!(
            (watch.fault(), watch.faults()),
            (Some(StateFault::Diverged), 1)
        );
        assert!(!watch.look(4, false, lost(5, BackupLoss::Diverged)));
    }

    #[test]
    fn one_that_was_lost_for_another_reason_or_had_agreed_for_long_is_no_evidence() {
        for between in [
            BackupLoss::Corrupt,
            BackupLoss::Damaged,
            BackupLoss::Crashed,
        ] {
            let mut watch = StateWatch::new(0);
            assert!(!watch.look(0, false, lost(1, BackupLoss::Diverged)));
            assert!(!watch.look(1, false, lost(2, between)));
            assert!(!watch.look(2, false, lost(3, BackupLoss::Diverged)));
        }
        for (agreed_s, is_wrong) in [(59, true), (60, false)] {
            let mut watch = StateWatch::new(0);
            let first = lost(1, BackupLoss::Diverged);
            assert!(!watch.look(0, false, first));
            assert!(!watch.look(SECOND_NS, true, first));
            assert!(!watch.look((1 + agreed_s) * SECOND_NS, true, first));
            let second = lost(2, BackupLoss::Diverged);
            assert_eq!(watch.look(100 * SECOND_NS, false, second), is_wrong);
        }
    }

    #[test]
    fn each_damaged_value_is_reported_once_and_many_do_not_flood_the_log() {
        let mut watch = StateWatch::new(0);
        assert!(watch.is_corrupt(0, b"a"));
        assert!(!watch.is_corrupt(1, b"b"));
        assert!(!watch.is_corrupt(5 * SECOND_NS, b"a"));
        assert!(watch.is_corrupt(6 * SECOND_NS, b"b"));
        assert_eq!(
            (watch.fault(), watch.faults()),
            (Some(StateFault::Corrupt), 4)
        );
        assert!(!watch.look(7 * SECOND_NS, true, None));
        assert_eq!(watch.fault(), Some(StateFault::Corrupt));
    }
}
