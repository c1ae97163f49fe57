//! The part of the replies that a client has not acknowledged. It is kept in pieces of bounded size, so that growing
//! never copies what is there.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Size of a piece, in bytes. All pieces but the last are full.
const PIECE_BYTES: usize = 16 << 10;

/// Bytes in order, first in, first out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SendBuffer {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that are removed already.
    taken: usize,
    bytes: usize,
}

impl SendBuffer {
    /// Returns the number of bytes kept.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Appends `bytes`.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len();
        while !bytes.is_empty() {
            if self
                .pieces
                .back()
                .is_none_or(|piece| piece.len() == PIECE_BYTES)
            {
                self.pieces.push_back(Vec::new());
            }
            if let Some(piece) = self.pieces.back_mut() {
                let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - piece.len()));
                piece.extend_from_slice(now);
                bytes = later;
            }
        }
    }

    /// Returns some of the bytes from `offset` on: at least one, if there is one.
    pub(crate) fn from(&self, offset: usize) -> &[u8] {
        let place = self.taken + offset;
        self.pieces
            .get(place / PIECE_BYTES)
            .and_then(|piece| piece.get(place % PIECE_BYTES..))
            .unwrap_or(&[])
    }

    /// Removes the first `count` bytes. There are that many.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        self.bytes -= count;
        while self
            .pieces
            .front()
            .is_some_and(|piece| self.taken >= piece.len())
        {
            // Only the last piece may be short; nothing is left then.
            self.taken -= self.pieces.pop_front().map_or(0, |piece| piece.len());
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(unacked: &SendBuffer) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < unacked.len() {
            bytes.extend_from_slice(unacked.from(bytes.len()));
        }
        bytes
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(steps in prop::collection::vec((0_usize..40_000, 0_usize..50_000), 1..12)) {
            let (mut unacked, mut expected) = (SendBuffer::default(), Vec::new());
            for (number, (pushed, taken)) in steps.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..pushed).map(|index| (index * 7 + number) as u8).collect();
                unacked.push(&bytes);
                expected.extend_from_slice(&bytes);
                let taken = taken.min(expected.len());
                unacked.take(taken);
                expected.drain(..taken);
                prop_assert_eq!(unacked.len(), expected.len());
                prop_assert_eq!(&all(&unacked), &expected);
                prop_assert!(unacked.from(unacked.len()).is_empty());
            }
        }
    }
}
