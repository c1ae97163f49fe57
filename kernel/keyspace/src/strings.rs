//! Changes within strings, whose sums follow by their pieces.

use super::{Bytes, Keyspace, Value, WrongType};
use core::ops::Range;
use fingerprint::{PIECE_BYTES, pieces_sum};

impl Keyspace {
    /// Appends to the string of a key. `extend` gets it, and the sum follows: it looks at the end of the string only.
    /// A missing key is added first, with an empty string.
    pub fn append<R>(
        &mut self,
        key: Bytes,
        extend: impl FnOnce(&mut Bytes) -> R,
    ) -> Result<R, WrongType> {
        let place = self.locate(&key);
        let slot = match place.slot {
            Some(slot) => slot,
            None => self.insert(place.hash, key, Value::String(Bytes::new())),
        };
        self.alter(place.hash, slot, |string: &mut Bytes| {
            let first = string.len() / PIECE_BYTES;
            let before = pieces_sum(string, first);
            let result = extend(string);
            (result, pieces_sum(string, first).wrapping_sub(before))
        })
    }

    /// Changes the bytes `range` of the string of a key, which is filled with zeros first if it is shorter. Only the
    /// sums of the pieces that change are computed.
    pub fn edit<R>(
        &mut self,
        key: Bytes,
        range: Range<usize>,
        change: impl FnOnce(&mut Bytes) -> R,
    ) -> Result<R, WrongType> {
        let place = self.locate(&key);
        let slot = match place.slot {
            Some(slot) => slot,
            None => self.insert(place.hash, key, Value::String(Bytes::new())),
        };
        self.alter(place.hash, slot, |string: &mut Bytes| {
            let first = range.start.min(string.len()) / PIECE_BYTES;
            let last = range.end.div_ceil(PIECE_BYTES);
            let before = pieces_sum(&string[..string.len().min(last * PIECE_BYTES)], first);
            if string.len() < range.end {
                string.reserve_exact(range.end - string.len());
                string.resize(range.end, 0);
            }
            let result = change(string);
            let after = pieces_sum(&string[..string.len().min(last * PIECE_BYTES)], first);
            (result, after.wrapping_sub(before))
        })
    }
}
