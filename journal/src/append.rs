//! Appending: reserve, write, publish.

use sharedmem::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};

use sharedmem::Words;

use crate::error::AppendError;
use crate::journal::Journal;
use crate::payload::PayloadWords;
use crate::record::{
    Appended, EPOCH_MAX, HEADER_BYTES, RawKind, Record, checksum, epoch_word, length_word,
    record_bytes, stamp,
};

impl<W: Words + Copy> Journal<'_, W> {
    /// Appends a record. Its payload is the slices of `payload`, one after another. When this returns, the record is
    /// published: it survives the death of this kernel.
    ///
    /// Never waits. A core that dies in here leaves a hole, which a [`Recovery`](crate::Recovery) names and steps over.
    ///
    /// # Errors
    /// See [`AppendError`]. The journal has not changed then.
    pub fn append(
        &self,
        epoch: u64,
        kind: RawKind,
        payload: &[&[u8]],
    ) -> Result<Appended, AppendError> {
        let length_bytes = self.checked_length(epoch, payload)?;
        let record = self.reserve(record_bytes(length_bytes))?;
        self.write(record.position, epoch, kind, length_bytes, payload);
        Ok(record)
    }

    /// Gives `record` another kind, for every later reader. Only the primary calls this, while nobody else reads that
    /// far.
    ///
    /// A kernel that dies in here leaves a record whose checksum does not match.
    pub fn relabel(&self, record: &Record<'_>, kind: RawKind) {
        let mut place = self.place(record.position);
        let [_stamp, mut at_length] = [place.leave(), place.leave()];
        let word_2 = epoch_word(record.epoch, kind);
        let length_bytes = record.payload.len() as u32;
        let payload = [record.payload];
        let words = PayloadWords::new(&payload);
        let checksum = checksum(self.crc, record.position, length_bytes, word_2, words);
        place.store(word_2, Relaxed);
        at_length.store(length_word(length_bytes, checksum), Release);
    }

    /// Fills an unpublished gap with empty records. A kernel that dies in here leaves the gap, or a shorter one.
    pub(crate) fn fill(&self, from: u64, to: u64, epoch: u64, kind: RawKind) {
        let mut position = from;
        while let Some(left_bytes) = to.checked_sub(position).filter(|left| *left > 0) {
            let most_bytes = record_bytes(self.max_payload_bytes() & !7);
            let size_bytes = match left_bytes.checked_sub(most_bytes) {
                Some(rest) if rest > 0 && rest < HEADER_BYTES => most_bytes - HEADER_BYTES,
                Some(_) => most_bytes,
                None => left_bytes,
            };
            let length_bytes = (size_bytes - HEADER_BYTES) as u32;
            let zeros = core::iter::repeat_n(0, length_bytes as usize / 8);
            self.write_words(position, epoch, kind, length_bytes, zeros);
            position += size_bytes;
        }
    }

    #[inline]
    pub(crate) fn checked_length(&self, epoch: u64, payload: &[&[u8]]) -> Result<u32, AppendError> {
        if epoch > EPOCH_MAX {
            return Err(AppendError::EpochTooLarge { epoch });
        }
        let payload_bytes = payload
            .iter()
            .fold(0_usize, |sum, slice| sum.saturating_add(slice.len()));
        let max_bytes = self.max_payload_bytes();
        match u32::try_from(payload_bytes) {
            Ok(length_bytes) if length_bytes <= max_bytes => Ok(length_bytes),
            _ => Err(AppendError::TooLarge {
                payload_bytes,
                max_bytes,
            }),
        }
    }

    /// Reserves `needed_bytes` for this core. Lock-free: it tries again only if another core has moved a cursor.
    #[inline]
    fn reserve(&self, needed_bytes: u64) -> Result<Appended, AppendError> {
        // The floor is read before `reserved`, so that it cannot have overtaken it. Acquire: its readers are done
        // with what lies below.
        let mut floor = self.floor();
        loop {
            let reserved = self.cursors.reserved.load(Acquire);
            match self.end_of(reserved, floor, needed_bytes) {
                Ok(end) => {
                    let swap = self
                        .cursors
                        .reserved
                        .compare_exchange_weak(reserved, end, AcqRel, Relaxed);
                    if swap.is_ok() {
                        return Ok(Appended {
                            position: reserved,
                            end,
                        });
                    }
                }
                Err(error) => {
                    let now = self.floor();
                    if now == floor {
                        return Err(error);
                    }
                    floor = now;
                }
            }
        }
    }

    /// Returns the end of a record of `needed_bytes` at `reserved`, if there is room for it.
    #[inline]
    pub(crate) fn end_of(
        &self,
        reserved: u64,
        floor: u64,
        needed_bytes: u64,
    ) -> Result<u64, AppendError> {
        let free_bytes = reserved
            .checked_sub(floor)
            .and_then(|used| self.capacity_bytes().checked_sub(used))
            .filter(|_| reserved.is_multiple_of(8));
        match (free_bytes, reserved.checked_add(needed_bytes)) {
            (Some(free_bytes), Some(end)) if needed_bytes <= free_bytes => Ok(end),
            (Some(free_bytes), Some(_)) => Err(AppendError::Full {
                needed_bytes,
                free_bytes,
            }),
            _ => Err(AppendError::CursorsCorrupt { reserved, floor }),
        }
    }

    #[inline]
    pub(crate) fn write(
        &self,
        position: u64,
        epoch: u64,
        kind: RawKind,
        length_bytes: u32,
        payload: &[&[u8]],
    ) {
        self.write_words(
            position,
            epoch,
            kind,
            length_bytes,
            PayloadWords::new(payload),
        );
    }

    #[inline]
    fn write_words(
        &self,
        position: u64,
        epoch: u64,
        kind: RawKind,
        length_bytes: u32,
        payload: impl Iterator<Item = u64>,
    ) {
        let mut place = self.place(position);
        let [mut at_stamp, mut at_length] = [place.leave(), place.leave()];
        let word_2 = epoch_word(epoch, kind);
        place.store(word_2, Relaxed);
        // One pass over the payload: each word is stored on its way into the checksum.
        let payload = payload.inspect(move |word| place.store(*word, Relaxed));
        let checksum = checksum(self.crc, position, length_bytes, word_2, payload);
        at_length.store(length_word(length_bytes, checksum), Relaxed);
        // The commit. Release: whoever sees the stamp sees the record.
        at_stamp.store(stamp(self.salt, position), Release);
    }
}
