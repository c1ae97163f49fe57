//! Reports on their way from a handler, which must not log, to a main loop, which does.

use core::sync::atomic::{AtomicU64, Ordering};

use super::{BankReport, Verdict};

/// Number of reports that wait at most. The oldest is overwritten.
const NOTED_MAX: u64 = 16;

/// Words of a report: its number, core and verdict, then what the bank says.
const WORDS: usize = 5;

/// A report that a core noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The core, by whatever number the program gives it.
    pub core: u32,
    /// Whether it goes on.
    pub verdict: Verdict,
    /// What a bank reports.
    pub report: BankReport,
}

/// The reports that wait. Any core may note one at any time, also in the middle of noting one.
#[derive(Debug)]
pub struct Notes {
    count: AtomicU64,
    taken: AtomicU64,
    reports: [[AtomicU64; WORDS]; NOTED_MAX as usize],
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}

impl Notes {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            reports: [const { [const { AtomicU64::new(0) }; WORDS] }; NOTED_MAX as usize],
        }
    }

    /// Notes a report.
    pub fn note(&self, noted: &Noted) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let [own, about, status, address, more] = &self.reports[(number % NOTED_MAX) as usize];
        own.store(0, Ordering::Release);
        let is_fatal = u64::from(noted.verdict == Verdict::Fatal);
        let bank = u64::from(noted.report.bank);
        let word = is_fatal | bank << 1 | u64::from(noted.core) << 32;
        about.store(word, Ordering::Release);
        status.store(noted.report.status, Ordering::Release);
        address.store(noted.report.address, Ordering::Release);
        more.store(noted.report.more, Ordering::Release);
        own.store(number + 1, Ordering::Release);
    }

    /// Returns whether there is something to take.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == self.taken.load(Ordering::Relaxed)
    }

    /// Takes the next report. Returns with it how many were overwritten before. For one core.
    pub fn take(&self) -> Option<(Noted, u64)> {
        let mut number = self.taken.load(Ordering::Relaxed);
        let count = self.count.load(Ordering::Acquire);
        let lost = (count - number).saturating_sub(NOTED_MAX);
        number += lost;
        if number == count {
            return None;
        }
        let [own, rest @ ..] = &self.reports[(number % NOTED_MAX) as usize];
        if own.load(Ordering::Acquire) != number + 1 {
            // It is being written: the next look finds it, or a later one in its place.
            return None;
        }
        let [about, status, address, more] =
            [0, 1, 2, 3].map(|at| rest[at].load(Ordering::Acquire));
        self.taken.store(number + 1, Ordering::Relaxed);
        let noted = Noted {
            core: (about >> 32) as u32,
            verdict: match about & 1 {
                0 => Verdict::GoOn,
                _ => Verdict::Fatal,
            },
            report: BankReport {
                bank: (about as u32) >> 1,
                status,
                address,
                more,
            },
        };
        Some((noted, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn noted(core: u32) -> Noted {
        Noted {
            core,
            verdict: match core % 2 {
                0 => Verdict::GoOn,
                _ => Verdict::Fatal,
            },
            report: BankReport {
                bank: 255,
                status: u64::MAX,
                address: core.into(),
                more: 7,
            },
        }
    }

    #[test]
    fn what_is_noted_is_taken_in_order_and_what_is_lost_is_counted() {
        let notes = Notes::new();
        assert!(notes.is_empty());
        assert_eq!(notes.take(), None);
        (0..3).for_each(|core| notes.note(&noted(core)));
        assert!(!notes.is_empty());
        let taken: Vec<_> = core::iter::from_fn(|| notes.take()).collect();
        assert_eq!(taken, [0, 1, 2].map(|core| (noted(core), 0)));
        (0..NOTED_MAX as u32 + 2).for_each(|core| notes.note(&noted(core)));
        assert_eq!(notes.take(), Some((noted(2), 2)));
        assert_eq!(notes.take(), Some((noted(3), 0)));
    }
}
