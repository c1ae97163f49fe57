//! The waiting backup's way through the journal: it follows the primary, and never overtakes it.

use alloc::vec::Vec;

use sharedmem::Words;

use crate::finding::Damage;
use crate::journal::Journal;
use crate::recovery::Recovery;
use crate::scan::{Extent, Next, Scan};

/// Reads what the primary has applied.
#[derive(Clone, Debug)]
pub struct Reader<'c, W> {
    scan: Scan<'c, W>,
    /// The impossible `applied` that was reported last, so that it is reported once.
    astray_reported: Option<u64>,
}

impl<'c, W: Words + Copy> Reader<'c, W> {
    /// A reader at `from`: 0, or the position a checkpoint was taken at. A multiple of 8, else it is rounded up.
    pub fn new(journal: Journal<'c, W>, from: u64) -> Self {
        Self {
            scan: Scan::new(journal, from),
            astray_reported: None,
        }
    }

    /// A reader where the journal makes the whole state, for a backup that begins while the owner serves; where there is no such place, behind
    /// what is applied. What lies there is kept from now on, until it is marked as consumed.
    pub fn begin(journal: Journal<'c, W>) -> Self {
        loop {
            let retained = journal.retained();
            let from = retained.unwrap_or_else(|| journal.cursors().applied);
            journal.mark_consumed(from);
            // Was it still retained when the cursor was set, then the cursor keeps it.
            if journal.keep_retained(retained) {
                return Self::new(journal, from);
            }
        }
    }

    /// Where reading goes on. What lies below may be given to [`Journal::mark_consumed`] once it is applied.
    pub fn position(&self) -> u64 {
        self.scan.position
    }

    /// The next record below the primary's `applied`, or the damage before it. `epoch` is that of the journal's owner.
    ///
    /// The payload is in `buffer`, which grows to a payload's size; reserve [`Journal::max_payload_bytes`] and it never has to.
    pub fn next<'b>(&mut self, epoch: u64, buffer: &'b mut Vec<u8>) -> Next<'b> {
        let extent = self.extent();
        self.scan.step(&extent, epoch, buffer)
    }

    /// Ends the waiting: a recovery from here on. `epoch` is that of the owner that was fenced.
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
        // The primary lives and may be half mad; what it has not applied is not ours to read. Stay, and say so once.
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
