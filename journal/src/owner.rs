//! The journal as a primary has it that appends alone: with a private copy of each word that only it writes.

use sharedmem::Words;
use sharedmem::applying::OwnApplying;
use sharedmem::control::NOTHING_RETAINED;
use sharedmem::own_word::{Overwritten, OwnWord};
use sharedmem::sync::Ordering::Acquire;

use crate::error::AppendError;
use crate::journal::Journal;
use crate::record::{Appended, RawKind, record_bytes};

/// The journal of its only producer. What others wrote into the producer's words is never built upon.
#[derive(Clone, Debug)]
pub struct Owner<'c, W> {
    journal: Journal<'c, W>,
    reserved: OwnWord<'c>,
    applied: OwnWord<'c>,
    retained: OwnWord<'c>,
    applying: OwnApplying<'c>,
}

impl<'c, W: Words + Copy> Owner<'c, W> {
    /// Takes the journal over, after [`Journal::resume`] or [`Journal::restart`]. What an earlier primary retained is
    /// kept if it agrees with the other cursors.
    pub fn adopt(journal: Journal<'c, W>) -> Self {
        let cursors = journal.cursors;
        if journal.beginning().is_none() {
            journal.retain(None);
        }
        Self {
            journal,
            reserved: OwnWord::adopt("reserved", &cursors.reserved),
            applied: OwnWord::adopt("applied", &cursors.applied),
            retained: OwnWord::adopt("retained", &cursors.retained),
            applying: cursors.applying.own(),
        }
    }

    /// Returns the journal as everybody sees it.
    pub fn journal(&self) -> Journal<'c, W> {
        self.journal
    }

    /// Returns the position behind everything that was appended, whatever is said in shared memory.
    pub fn reserved(&self) -> u64 {
        self.reserved.value()
    }

    /// Appends a record like [`Journal::append`], as the only one who does.
    ///
    /// # Errors
    /// See [`AppendError`]. The journal has not changed then.
    pub fn append(
        &mut self,
        epoch: u64,
        kind: RawKind,
        payload: &[&[u8]],
    ) -> Result<Appended, AppendError> {
        let length_bytes = self.journal.checked_length(epoch, payload)?;
        let floor = self.floor()?;
        self.applied.check()?;
        let position = self.reserved.value();
        let end = self
            .journal
            .end_of(position, floor, record_bytes(length_bytes))?;
        self.reserved.replace(end)?;
        self.journal
            .write(position, epoch, kind, length_bytes, payload);
        Ok(Appended { position, end })
    }

    /// Notes that the primary begins to apply a record. If it stops there, its successor finds the position.
    #[inline]
    pub fn begin_applying(&mut self, record: Appended) {
        self.applying.begin(record.position);
    }

    /// Notes that the primary has applied a record: the backup may follow.
    #[inline]
    pub fn end_applying(&mut self, record: Appended) {
        self.applying.end();
        self.applied.set(record.end);
    }

    /// Sets the position from which the journal makes the whole state, like [`Journal::retain`].
    pub fn retain(&mut self, from: Option<u64>) {
        // The exchange orders it with a backup that begins. What was found there is not believed.
        self.journal.retain(from);
        self.retained.wrote(from.unwrap_or(NOTHING_RETAINED));
    }

    /// Frees the room of what the primary has applied, where no backup needs it.
    pub fn free_applied(&self) {
        self.journal.mark_consumed(self.applied.value());
    }

    /// Checks every word that only the primary writes.
    ///
    /// # Errors
    /// The first that somebody else wrote.
    pub fn check(&self) -> Result<(), Overwritten> {
        self.words().into_iter().try_for_each(OwnWord::check)
    }

    /// Writes back every word that somebody else wrote, so that whoever reads on reads the truth. Returns the first.
    pub fn restore(&self) -> Option<Overwritten> {
        let wrong = self.words().into_iter().map(OwnWord::restore);
        wrong.fold(None, Option::or)
    }

    /// Returns the position below which nobody needs anything, in the order of [`Journal::floor`].
    #[inline]
    fn floor(&self) -> Result<u64, Overwritten> {
        self.retained.check()?;
        let consumed = self.journal.cursors.consumed.load(Acquire);
        Ok(self.retained.value().min(consumed))
    }

    fn words(&self) -> [&OwnWord<'c>; 5] {
        let [current, suspect] = self.applying.words();
        let Self {
            reserved,
            applied,
            retained,
            ..
        } = self;
        [reserved, applied, retained, current, suspect]
    }
}
