//! What a client is owed and the socket has no room for yet: in pieces of bounded size, so that no growth ever copies what is there.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Size of a piece, in bytes.
const PIECE_BYTES: usize = 16 << 10;

/// Bytes in order, first in, first out.
#[derive(Default)]
pub struct Backlog {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first piece that are gone already.
    taken: usize,
    bytes: usize,
}

impl Backlog {
    /// Bytes owed.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends `bytes`.
    pub fn push(&mut self, mut bytes: &[u8]) {
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

    /// The first bytes owed.
    pub fn head(&self) -> &[u8] {
        self.pieces
            .front()
            .map_or(&[], |piece| &piece[self.taken..])
    }

    /// Takes `count` bytes off the [`head`](Self::head).
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        self.bytes -= count;
        if self
            .pieces
            .front()
            .is_some_and(|piece| piece.len() == self.taken)
        {
            self.pieces.pop_front();
            self.taken = 0;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
