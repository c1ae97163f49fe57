//! Fingerprints of a state, by which two kernels find out whether theirs is the same, and each whether its own memory
//! still holds what was stored.
//!
//! - The *sum* of a string is the sum of its pieces, so it follows an append without a look at the rest, and can be
//!   computed again in steps of bounded length.
//! - [`bind`] makes one number of two, so that parts of one thing cannot change places with those of another.
//! - A [`Chain`] takes everything that is compared, in order.
//!
//! The hash is XXH3 (64 bits), whose definition is fixed. It finds accidents, not forgeries: no client can make the two
//! states differ, so none has a use for values with the same fingerprint.
//!
//! # Example
//!
//! ```
//! use fingerprint::{PIECE_BYTES, pieces_sum, string_sum};
//!
//! let mut string = vec![b'a'; 1000];
//! let before = string_sum(&string);
//! let first = string.len() / PIECE_BYTES;
//! let replaced = pieces_sum(&string, first);
//! string.extend_from_slice(b"appended");
//! let after = before.wrapping_sub(replaced).wrapping_add(pieces_sum(&string, first));
//! assert_eq!(after, string_sum(&string));
//! ```
#![no_std]
#![forbid(unsafe_code)]

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a piece of a string. XXH3 takes up to 240 bytes without preparing its seed.
pub const PIECE_BYTES: usize = 128;

/// Returns the sum of one piece of a string; `number` says which.
pub fn piece_sum(piece: &[u8], number: usize) -> u64 {
    xxh3_64_with_seed(piece, number as u64)
}

/// Returns the sum of a string's pieces from the `first`-th on.
pub fn pieces_sum(string: &[u8], first: usize) -> u64 {
    let rest = string.get(first * PIECE_BYTES..).unwrap_or(&[]);
    let pieces = rest.chunks(PIECE_BYTES).zip(first..);
    pieces.fold(0, |sum, (piece, number)| {
        sum.wrapping_add(piece_sum(piece, number))
    })
}

/// Returns the sum of a string.
pub fn string_sum(string: &[u8]) -> u64 {
    pieces_sum(string, 0)
}

/// Returns one number that stands for the two, in this order.
pub fn bind(first: u64, second: u64) -> u64 {
    xxh3_64_with_seed(&first.to_le_bytes(), second)
}

/// A fingerprint of everything that it has taken, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(u64);

impl Chain {
    /// Takes a number.
    pub fn number(&mut self, number: u64) {
        self.0 = bind(number, self.0);
    }

    /// Takes a string with its length. It takes time in proportion to that.
    pub fn string(&mut self, string: &[u8]) {
        self.number(string.len() as u64);
        self.number(string_sum(string));
    }

    /// Takes the length of a string and one of its pieces. `round` says which: a pass over all takes as many rounds as
    /// there are pieces.
    pub fn sample(&mut self, string: &[u8], round: u64) {
        self.number(string.len() as u64);
        let pieces = string.chunks(PIECE_BYTES);
        let number = (round % pieces.len().max(1) as u64) as usize;
        let piece = { pieces }.nth(number).unwrap_or(&[]);
        self.number(piece_sum(piece, number));
    }

    /// Returns the fingerprint.
    pub fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn a_flipped_bit_changes_the_sum(string in prop::collection::vec(any::<u8>(), 1..1000), at in any::<usize>()) {
            let mut flipped = string.clone();
            let bit = at % (8 * string.len());
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(string_sum(&flipped), string_sum(&string));
        }

        #[test]
        fn the_sum_of_the_pieces_is_that_of_the_string(string in prop::collection::vec(any::<u8>(), 0..1000)) {
            let pieces: Vec<_> = string.chunks(PIECE_BYTES).collect();
            for first in 0..pieces.len() + 2 {
                let before = pieces.iter().zip(0..first);
                let before = before.fold(0u64, |sum, (piece, number)| sum.wrapping_add(piece_sum(piece, number)));
                prop_assert_eq!(before.wrapping_add(pieces_sum(&string, first)), string_sum(&string));
            }
        }
    }

    #[test]
    fn places_and_order_count() {
        let mut string = [1; 2 * PIECE_BYTES];
        string[..PIECE_BYTES].fill(2);
        let mut swapped = string;
        swapped.rotate_left(PIECE_BYTES);
        assert_ne!(string_sum(&string), string_sum(&swapped));
        assert_ne!(bind(1, 2), bind(2, 1));
        let chain = |numbers: &[u64]| {
            let mut chain = Chain::default();
            numbers.iter().for_each(|number| chain.number(*number));
            chain.finish()
        };
        assert_ne!(chain(&[1, 2]), chain(&[2, 1]));
        assert_ne!(chain(&[0]), chain(&[0, 0]));
    }

    #[test]
    fn as_many_samples_as_there_are_pieces_see_every_byte() {
        let string = [7; 3 * PIECE_BYTES + 5];
        let samples = |string: &[u8]| {
            let mut chain = Chain::default();
            (8..12).for_each(|round| chain.sample(string, round));
            chain.finish()
        };
        for at in 0..string.len() {
            let mut flipped = string;
            flipped[at] ^= 1;
            assert_ne!(samples(&flipped), samples(&string), "{at}");
        }
        let mut empty = Chain::default();
        empty.sample(b"", 3);
        assert_ne!(empty, Chain::default());
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // XXH3_64bits("") and of "a" with seed 0, by the reference implementation.
        assert_eq!(piece_sum(b"", 0), 0x2d06_8005_38d3_94c2);
        assert_eq!(piece_sum(b"a", 0), 0xe6c6_32b6_1e96_4e1f);
    }
}
