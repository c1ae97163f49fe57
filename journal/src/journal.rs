//! The journal: the ring, its cursors and its salt.

use sharedmem::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};

use sharedmem::Words;
use sharedmem::control::{JournalCursors, NOTHING_RETAINED};
use sharedmem::crc32c::Crc32c;

use crate::error::TooSmall;
use crate::place::Place;
use crate::record::{Appended, CAPACITY_BYTES_MIN, PAYLOAD_BYTES_MAX, stamp};

/// A log in a ring of words. It is a handle: cheap to copy, and any number of copies may be in use at once.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'c, W> {
    words: W,
    pub(crate) cursors: &'c JournalCursors,
    pub(crate) salt: u64,
    pub(crate) crc: Crc32c,
    max_payload_bytes: u32,
}

/// The cursors at one instant, as they are in memory. They need not make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursors {
    /// Everything below was reserved by producers.
    pub reserved: u64,
    /// Everything below was applied by the primary.
    pub applied: u64,
    /// Everything below was applied by the backup.
    pub consumed: u64,
}

impl<'c, W: Words + Copy> Journal<'c, W> {
    /// Returns the salt that it was opened with.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Opens the journal in `words`. `salt` is a secret random number of this boot; `crc` suits the processor.
    ///
    /// # Errors
    /// [`TooSmall`] if there are fewer than [`CAPACITY_BYTES_MIN`] bytes.
    pub fn salted(
        words: W,
        cursors: &'c JournalCursors,
        salt: u64,
        crc: Crc32c,
    ) -> Result<Self, TooSmall> {
        let capacity_bytes = words.len() as u64 * 8;
        if capacity_bytes < CAPACITY_BYTES_MIN {
            return Err(TooSmall { capacity_bytes });
        }
        Ok(Self {
            words,
            cursors,
            salt,
            crc,
            max_payload_bytes: (capacity_bytes / 4).min(u64::from(PAYLOAD_BYTES_MAX)) as u32,
        })
    }

    /// Returns the size of the ring, in bytes.
    pub fn capacity_bytes(&self) -> u64 {
        self.words.len() as u64 * 8
    }

    /// Returns the size of the largest payload, in bytes.
    pub fn max_payload_bytes(&self) -> u32 {
        self.max_payload_bytes
    }

    /// Returns the cursors. They are read in the order in which they follow each other, so that for an intact journal
    /// `consumed <= applied <= reserved` holds even while others move them.
    pub fn cursors(&self) -> Cursors {
        let consumed = self.cursors.consumed.load(Acquire);
        let applied = self.cursors.applied.load(Acquire);
        let reserved = self.cursors.reserved.load(Acquire);
        Cursors {
            reserved,
            applied,
            consumed,
        }
    }

    /// Returns the number of bytes that the backup would replay if the primary died now.
    pub fn lag_bytes(&self) -> u64 {
        let cursors = self.cursors();
        cursors.reserved.saturating_sub(cursors.consumed)
    }

    /// Returns the number of bytes that can be reserved now.
    pub fn free_bytes(&self) -> u64 {
        let used_bytes = self.lag_bytes().max(self.retained_bytes());
        self.capacity_bytes().saturating_sub(used_bytes)
    }

    /// Returns the position from which the journal makes the whole state, if there is one: a checkpoint begins there,
    /// or there was no state before it.
    pub fn retained(&self) -> Option<u64> {
        let position = self.cursors.retained.load(Acquire);
        (position != NOTHING_RETAINED).then_some(position)
    }

    /// Returns where a reader begins that needs the whole state: what is [retained](Self::retained), if that agrees
    /// with the other cursors. More than a lap before the end, the ring holds records of an earlier lap.
    pub fn beginning(&self) -> Option<u64> {
        let retained = self.retained()?;
        let Cursors {
            reserved, applied, ..
        } = self.cursors();
        let lap_bytes = self.capacity_bytes();
        let is_within_lap =
            |from: u64, to: u64| to.checked_sub(from).is_some_and(|bytes| bytes <= lap_bytes);
        // If these two contradict each other, one of them is wrong, and nobody knows which.
        let agrees = match is_within_lap(applied, reserved) {
            true => is_within_lap(retained, reserved),
            false => is_within_lap(retained, reserved) || is_within_lap(retained, applied),
        };
        (agrees && retained.is_multiple_of(8)).then_some(retained)
    }

    /// Returns the number of bytes kept for readers that need the whole state.
    pub fn retained_bytes(&self) -> u64 {
        let from = self.retained().unwrap_or(NOTHING_RETAINED);
        self.cursors.reserved.load(Acquire).saturating_sub(from)
    }

    /// Sets the position from which the journal makes the whole state: everything from there on is kept, whoever has
    /// consumed it. `None` means that there is no such position. Only the primary calls this.
    ///
    /// At the same time a backup may [begin](crate::Reader::begin) at the position set before. Both use an exchange,
    /// not a store: so one comes after the other, and the second sees what the first one did.
    pub fn retain(&self, from: Option<u64>) {
        let position = from.unwrap_or(NOTHING_RETAINED);
        self.cursors.retained.swap(position, AcqRel);
    }

    /// Returns whether `retained` still is what it was. If so, whoever changes it from now on sees what was stored
    /// before this call.
    pub(crate) fn keep_retained(&self, retained: Option<u64>) -> bool {
        let position = retained.unwrap_or(NOTHING_RETAINED);
        let retained = &self.cursors.retained;
        retained
            .compare_exchange(position, position, AcqRel, Acquire)
            .is_ok()
    }

    /// Returns the position below which no backup and no later reader needs anything.
    #[inline]
    pub(crate) fn floor(&self) -> u64 {
        // In this order: a core that sees a new value of `retained` also sees where a backup had begun before.
        let retained = self.cursors.retained.load(Acquire);
        retained.min(self.cursors.consumed.load(Acquire))
    }

    /// Notes that the primary applied everything below `position`: the backup may follow. Only the primary calls this.
    #[inline]
    pub fn mark_applied(&self, position: u64) {
        self.cursors.applied.store(position, Release);
    }

    /// Notes that the backup applied everything below `position`: the room may be used again. Only the backup calls
    /// this; without a backup, the primary does.
    #[inline]
    pub fn mark_consumed(&self, position: u64) {
        self.cursors.consumed.store(position, Release);
    }

    /// Sets all cursors to `position`, which is [`Recovery::resume_position`](crate::Recovery::resume_position). A
    /// new primary calls this after its recovery, and then appends a record of its own epoch before any other. What
    /// is retained is kept. Nobody else may write meanwhile.
    pub fn resume(&self, position: u64) {
        // If the cursors lied, a whole record may lie at `position`. It must not pass for the record of a primary that
        // reserves this place and dies.
        let mut place = self.place(position);
        if place.load(Relaxed) == stamp(self.salt, position) {
            self.place(position).store(0, Release);
        }
        // In this order, so that they follow each other in between as well.
        self.cursors.reserved.store(position, Release);
        self.cursors.applied.store(position, Release);
        self.cursors.consumed.store(position, Release);
    }

    /// Empties the journal and begins again at `position`. Nobody else may use the journal meanwhile.
    pub fn restart(&self, position: u64) {
        self.resume(position);
        self.retain(None);
    }

    /// Flips a bit in the last word of `record`, as failing memory would: for tests and for a debug command.
    pub fn corrupt_for_test(&self, record: Appended) {
        let last = record.end.wrapping_sub(8);
        let word = self.place(last).load(Relaxed);
        self.place(last).store(word ^ (1 << 42), Relaxed);
    }

    /// Returns the place of `position` in the ring.
    #[inline]
    pub(crate) fn place(&self, position: u64) -> Place<W> {
        Place::of(position, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::sync::AtomicU64;
    use std::vec::Vec;

    fn ring(count: usize) -> Vec<AtomicU64> {
        (0..count).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_ring_too_small_is_refused_and_a_large_one_caps_its_payloads() {
        let cursors = JournalCursors::default();
        let max_payload_bytes = |words| {
            let words = ring(words);
            let journal = Journal::salted(&words[..], &cursors, 1, Crc32c::portable());
            journal.map(|journal| journal.max_payload_bytes())
        };
        assert_eq!(max_payload_bytes(7), Err(TooSmall { capacity_bytes: 56 }));
        assert_eq!(max_payload_bytes(8), Ok(16));
        assert_eq!(max_payload_bytes(1 << 20), Ok(PAYLOAD_BYTES_MAX));
    }

    #[test]
    fn lag_and_free_room_follow_the_cursors_and_survive_scribbled_ones() {
        let (words, cursors) = (ring(16), JournalCursors::default());
        let journal = Journal::salted(&words[..], &cursors, 1, Crc32c::portable()).unwrap();
        assert_eq!(journal.retained(), Some(0));
        journal.retain(None);
        let record = journal
            .append(1, crate::RawKind(1), &[b"12345678"])
            .unwrap();
        assert_eq!((journal.lag_bytes(), journal.free_bytes()), (32, 96));
        journal.mark_applied(record.end);
        journal.mark_consumed(record.end);
        assert_eq!((journal.lag_bytes(), journal.free_bytes()), (0, 128));
        journal.mark_consumed(u64::MAX);
        assert_eq!((journal.lag_bytes(), journal.free_bytes()), (0, 128));
        journal.restart(256);
        assert_eq!(journal.retained(), None);
        cursors.reserved.store(u64::MAX, Relaxed);
        assert_eq!(journal.free_bytes(), 0);
        journal.restart(256);
        let all = Cursors {
            reserved: 256,
            applied: 256,
            consumed: 256,
        };
        assert_eq!(journal.cursors(), all);
    }
}
