//! The format of a record (journal revision 1).
//!
//! ```text
//! word 0   stamp: from the salt and the record's position; stored last, which publishes the record
//! word 1   length of the payload in bytes (bits 31..0), CRC-32C (63..32)
//! word 2   epoch (bits 47..0), kind (63..48)
//! word 3.. payload, little-endian, the last word filled up with zeros
//! ```
//!
//! The CRC is over the position, the length, word 2 and the payload's words. Records follow one another without a gap
//! and run over the ring's end word by word.

use sharedmem::RecordKind;
use sharedmem::crc32c::Crc32c;
use sharedmem::record::RECORD_SKIPPED;

/// The smallest ring, in bytes. It holds one record of the largest payload it takes.
pub const CAPACITY_BYTES_MIN: u64 = 64;

/// The largest payload of a large journal, in bytes; of a small one it is a quarter of the ring.
pub const PAYLOAD_BYTES_MAX: u32 = 1 << 20;

/// Where an appended record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its position: its sequence number.
    pub position: u64,
    /// The position behind it.
    pub end: u64,
}

/// Bytes of a record's header.
pub const HEADER_BYTES: u64 = 24;

/// The largest epoch a record can carry.
pub const EPOCH_MAX: u64 = (1 << 48) - 1;

/// What a payload is, as the record claims. Another version may know more kinds than [`RecordKind`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawKind(pub u16);

impl From<RecordKind> for RawKind {
    fn from(kind: RecordKind) -> Self {
        Self(kind.number() as u16)
    }
}

impl RawKind {
    /// The kind of the empty records that fill a gap, where a producer died before it published.
    pub const FILLER: Self = Self(RECORD_SKIPPED);

    /// Returns the kind, if it is known here and the record is not one that is skipped.
    pub const fn known(self) -> Option<RecordKind> {
        RecordKind::from_number(self.0 as u64)
    }

    /// Returns the kind of the same record once it is skipped.
    pub const fn skipped(self) -> Self {
        Self(self.0 | RECORD_SKIPPED)
    }

    /// Returns whether the record is one that is skipped.
    pub const fn is_skipped(self) -> bool {
        self.0 & RECORD_SKIPPED != 0
    }
}

/// A whole record, copied out of the shared region and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its position, which is its sequence number.
    pub position: u64,
    /// The position of the next record.
    pub end: u64,
    /// The epoch of the primary that wrote it.
    pub epoch: u64,
    /// What the payload is.
    pub kind: RawKind,
    /// The payload, in the caller's buffer.
    pub payload: &'b [u8],
}

/// Returns the size of a record with a payload of `length_bytes`, in bytes.
pub const fn record_bytes(length_bytes: u32) -> u64 {
    HEADER_BYTES + ((length_bytes as u64 + 7) & !7)
}

/// Returns the first word of a record at `position`.
///
/// Each position has a stamp of its own, and another one in each boot. So neither a header of an earlier lap nor
/// bytes that a client sent can be taken for it. The mixing (the finaliser of SplitMix64) makes the difference
/// between neighbouring stamps hard to guess.
#[inline]
pub(crate) fn stamp(salt: u64, position: u64) -> u64 {
    let mixed = salt.wrapping_add(position);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Makes word 1.
#[inline]
pub(crate) fn length_word(length_bytes: u32, checksum: u32) -> u64 {
    u64::from(length_bytes) | u64::from(checksum) << 32
}

/// Returns length and checksum in word 1.
#[inline]
pub(crate) fn split_length_word(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// Makes word 2. The epoch is at most [`EPOCH_MAX`].
#[inline]
pub(crate) fn epoch_word(epoch: u64, kind: RawKind) -> u64 {
    epoch | u64::from(kind.0) << 48
}

/// Returns epoch and kind in word 2.
#[inline]
pub(crate) fn split_epoch_word(word: u64) -> (u64, RawKind) {
    (word & EPOCH_MAX, RawKind((word >> 48) as u16))
}

/// Returns the checksum of a record at `position`. The position is in it, so that a record copied elsewhere is not one.
#[inline]
pub(crate) fn checksum(
    crc: Crc32c,
    position: u64,
    length_bytes: u32,
    word_2: u64,
    payload: impl Iterator<Item = u64>,
) -> u32 {
    crc.of_words(HeadAndPayload {
        head: [position, u64::from(length_bytes), word_2].iter(),
        payload,
    })
}

/// Works as `chain`, but its `fold` is always inlined. The loop must be inside the function that may use the CRC
/// instruction, or every word costs a call.
struct HeadAndPayload<'h, P> {
    head: core::slice::Iter<'h, u64>,
    payload: P,
}

impl<P: Iterator<Item = u64>> Iterator for HeadAndPayload<'_, P> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.head.next().copied().or_else(|| self.payload.next())
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, u64) -> B>(self, mut folded: B, mut f: F) -> B {
        for word in self.head {
            folded = f(folded, *word);
        }
        self.payload.fold(folded, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_skipped_is_of_no_known_kind() {
        for known in RecordKind::ALL {
            let kind = RawKind::from(known);
            assert_eq!((kind.known(), kind.is_skipped()), (Some(known), false));
            let skipped = kind.skipped();
            assert_eq!((skipped.known(), skipped.is_skipped()), (None, true));
        }
        assert!(RawKind::FILLER.is_skipped());
        assert_eq!(RawKind(0).known(), None);
    }

    #[test]
    fn header_words_come_apart_as_they_were_put_together() {
        assert_eq!(
            split_length_word(length_word(0x1234_5678, 0x9abc_def0)),
            (0x1234_5678, 0x9abc_def0)
        );
        assert_eq!(
            split_epoch_word(epoch_word(EPOCH_MAX, RawKind(0xfffe))),
            (EPOCH_MAX, RawKind(0xfffe))
        );
        assert_eq!(split_epoch_word(epoch_word(5, RawKind(0))), (5, RawKind(0)));
    }

    #[test]
    fn a_record_is_its_header_and_whole_words_of_payload() {
        assert_eq!([0, 1, 8, 9].map(record_bytes), [24, 32, 32, 40]);
        assert_eq!(record_bytes(u32::MAX), 24 + (1 << 32));
    }

    #[test]
    fn the_format_of_revision_1_does_not_change_unnoticed() {
        // Two images of the same journal revision must agree on every bit; a change here raises `JOURNAL_REVISION`.
        assert_eq!(sharedmem::JOURNAL_REVISION, 1);
        // SplitMix64's published sequence for seed 0 begins with the finaliser of the golden gamma.
        assert_eq!(stamp(0, 0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
        let words = [0x0706_0504_0302_0100];
        let computed = |crc| checksum(crc, 64, 8, epoch_word(3, RawKind(2)), words.into_iter());
        assert_eq!(computed(Crc32c::portable()), 0x935c_a589);
        assert_eq!(computed(Crc32c::detect()), computed(Crc32c::portable()));
    }
}
