//! Reading for the backup that takes over: everything that was published, whatever the dead primary left.

use alloc::vec::Vec;

use sharedmem::Words;

use crate::finding::{Damage, Finding};
use crate::journal::Journal;
use crate::record::{HEADER_BYTES, RawKind};
use crate::scan::{Extent, Next, Scan};

/// Reads everything that was published, in order, and names the damage in between.
///
/// It begins after the fence, when nobody writes any more. It writes nothing, so a second recovery reads the same.
/// Its user may [close](Self::close) gaps. It looks at one length of the ring at most, so it ends.
#[derive(Clone, Debug)]
pub struct Recovery<'c, W> {
    scan: Scan<'c, W>,
    extent: Extent,
    epoch: u64,
    resume_position: u64,
    is_intact: bool,
}

impl<'c, W: Words + Copy> Recovery<'c, W> {
    /// Makes a recovery from position `from` on, behind what is applied already. `epoch` is that of the primary that
    /// was fenced.
    pub fn new(journal: Journal<'c, W>, from: u64, epoch: u64) -> Self {
        Self::go_on(Scan::new(journal, from), epoch)
    }

    pub(crate) fn go_on(scan: Scan<'c, W>, epoch: u64) -> Self {
        let extent = extent(&scan);
        Self {
            resume_position: match extent.cursors_astray {
                None => extent.end,
                Some(_) => scan.end_of_lap(),
            },
            extent,
            is_intact: extent.cursors_astray.is_none(),
            scan,
            epoch,
        }
    }

    /// Returns the position at which reading goes on.
    pub fn position(&self) -> u64 {
        self.scan.position
    }

    /// Returns the next record, or the damage before it. For `buffer` see [`Reader::next`](crate::Reader::next).
    pub fn next<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Next<'b> {
        let extent = self.extent;
        // The first step reports them; after that, they are settled.
        self.extent.cursors_astray = None;
        self.scan.step(&extent, self.epoch, buffer)
    }

    /// Fills a gap with empty records of `kind`, if the gap was never published. Nothing is missing there, and later
    /// readers must not take it for damage. Returns whether it was such a gap.
    ///
    /// The new primary calls this right after [`next`](Self::next) has returned the finding.
    pub fn close(&self, finding: &Finding, kind: RawKind) -> bool {
        let is_unpublished = matches!(finding.damage, Damage::Hole | Damage::TornTail);
        let may = is_unpublished && !finding.was_applied && finding.size_bytes() >= HEADER_BYTES;
        if may {
            let (from, to, epoch) = (finding.from, finding.to, self.scan.epoch_seen());
            self.scan.journal.fill(from, to, epoch, kind);
        }
        may
    }

    /// Returns where the new primary begins its own records. Pass it to [`Journal::resume`], or to
    /// [`Journal::restart`] if the cursors made no sense.
    ///
    /// It is right behind what was reserved, so that everything retained can be read again. Records that the dead
    /// primary may have left beyond it are of an earlier epoch than the new primary's first record, so readers skip
    /// them as foreign. If the cursors made no sense, it is one lap behind the beginning of this recovery, so that no
    /// word of the ring is the stamp of a later position.
    pub fn resume_position(&self) -> u64 {
        self.resume_position
    }

    /// Returns whether the cursors made sense.
    pub fn is_intact(&self) -> bool {
        self.is_intact
    }
}

/// Returns how far to read. A cursor that makes no sense is not used; without `reserved`, one length of the ring is
/// read.
fn extent<W: Words + Copy>(scan: &Scan<'_, W>) -> Extent {
    let cursors = scan.journal.cursors();
    let (reserved, applied) = (cursors.reserved, cursors.applied);
    // A recovery that is begun again in the middle may be past `applied` already.
    let sane_applied = Some(applied.max(scan.position)).filter(|applied| scan.may_reach(*applied));
    let known_applied = sane_applied.unwrap_or(scan.position);
    let sane_reserved =
        Some(reserved).filter(|reserved| scan.may_reach(*reserved) && *reserved >= known_applied);
    let is_sane = sane_applied.is_some() && sane_reserved.is_some();
    Extent {
        cursors_astray: (!is_sane).then_some(Damage::Cursors { reserved, applied }),
        applied: known_applied,
        promised: sane_reserved.unwrap_or(known_applied),
        end: sane_reserved.unwrap_or_else(|| scan.end_of_lap()),
    }
}
