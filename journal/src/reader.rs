//! Reading for the waiting backup: it follows the primary and never overtakes it.

use alloc::vec::Vec;

use sharedmem::Words;

use crate::finding::Damage;
use crate::journal::Journal;
use crate::recovery::Recovery;
use crate::scan::{Extent, Next, Scan};

/// How often a new reader looks where to begin, while that moves under its eyes.
const BEGIN_ATTEMPTS: u32 = 8;

/// Reads what the primary has applied.
#[derive(Clone, Debug)]
pub struct Reader<'c, W> {
    scan: Scan<'c, W>,
    /// The impossible `applied` that was reported last, so that it is reported once.
    astray_reported: Option<u64>,
}

impl<'c, W: Words + Copy> Reader<'c, W> {
    /// Makes a reader at position `from`: 0, or the position of a checkpoint. It is rounded up to a multiple of 8.
    pub fn new(journal: Journal<'c, W>, from: u64) -> Self {
        Self {
            scan: Scan::new(journal, from),
            astray_reported: None,
        }
    }

    /// Makes a reader for a backup that begins while the primary serves. It begins where the journal makes the whole
    /// state; if there is no such position, at `applied`. Everything from there on is kept until it is marked as
    /// consumed.
    pub fn begin(journal: Journal<'c, W>) -> Self {
        let mut attempts_left = BEGIN_ATTEMPTS;
        loop {
            attempts_left -= 1;
            let retained = journal.retained();
            let from = journal
                .beginning()
                .unwrap_or_else(|| journal.cursors().applied);
            journal.mark_consumed(from);
            // If it still was retained when the cursor was set, the cursor keeps it from now on. A primary moves it
            // once in a checkpoint. If it moves all the time, somebody else does, and reading finds the damage.
            if journal.keep_retained(retained) || attempts_left == 0 {
                return Self::new(journal, from);
            }
        }
    }

    /// Makes a reader for the recovery of a kernel that has read nothing yet: it begins where [`begin`](Self::begin)
    /// does, and writes nothing. Nobody appends meanwhile.
    pub fn begin_recovery(journal: Journal<'c, W>) -> Self {
        let from = journal.beginning();
        Self::new(journal, from.unwrap_or_else(|| journal.cursors().applied))
    }

    /// Returns whether the cursors made no sense at the last look, seen from this reader's position. It stays there.
    pub fn is_astray(&self) -> bool {
        self.astray_reported.is_some()
    }

    /// Returns the position at which reading goes on. Once everything below is applied, pass it to
    /// [`Journal::mark_consumed`].
    pub fn position(&self) -> u64 {
        self.scan.position
    }

    /// Returns the next record below the primary's `applied`, or the damage before it. `epoch` is the primary's.
    ///
    /// The payload is in `buffer`, which grows as needed. If its capacity is [`Journal::max_payload_bytes`], it never
    /// has to.
    pub fn next<'b>(&mut self, epoch: u64, buffer: &'b mut Vec<u8>) -> Next<'b> {
        let extent = self.extent();
        self.scan.step(&extent, epoch, buffer)
    }

    /// Begins a recovery at this position. `epoch` is that of the primary that was fenced.
    pub fn recover(self, epoch: u64) -> Recovery<'c, W> {
        Recovery::go_on(self.scan, epoch)
    }

    fn extent(&mut self) -> Extent {
        let cursors = self.scan.journal.cursors();
        let (position, applied) = (self.scan.position, cursors.applied);
        if self.scan.may_reach(applied) {
            self.astray_reported = None;
            return Extent {
                cursors_astray: None,
                applied,
                promised: applied,
                end: applied,
            };
        }
        // The primary is alive and its memory may be damaged. What it has not applied must not be read: stay here,
        // and report it once.
        let reserved = cursors.reserved;
        let is_news = self.astray_reported.replace(applied) != Some(applied);
        Extent {
            cursors_astray: is_news.then_some(Damage::Cursors { reserved, applied }),
            applied: position,
            promised: position,
            end: position,
        }
    }
}
