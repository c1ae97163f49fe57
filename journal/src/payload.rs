//! A payload in pieces, as the 64-bit words that are stored in the ring.

/// The bytes of several slices one after another, eight at a time, the last word filled up with zeros.
pub(crate) struct PayloadWords<'p> {
    slice: &'p [u8],
    slices: core::slice::Iter<'p, &'p [u8]>,
    /// Bytes that do not make a word yet, in the low end.
    pending: u64,
    /// How many bits of `pending` count: a multiple of 8, below 64.
    pending_bits: u32,
}

impl<'p> PayloadWords<'p> {
    #[inline]
    pub(crate) fn new(slices: &'p [&'p [u8]]) -> Self {
        let mut slices = slices.iter();
        Self {
            slice: slices.next().copied().unwrap_or_default(),
            slices,
            pending: 0,
            pending_bits: 0,
        }
    }

    /// Puts `word` behind what is pending. Returns the first eight bytes of both, and keeps the rest.
    #[inline]
    fn join(&mut self, word: u64) -> u64 {
        let joined = self.pending | word << self.pending_bits;
        // Shifted in two steps: with nothing pending it is a shift by 64, which one step cannot do.
        self.pending = (word >> 1) >> (63 - self.pending_bits);
        joined
    }

    /// Takes the last bytes of a slice, fewer than eight. Returns a word if they complete one.
    #[inline]
    fn join_tail(&mut self) -> Option<u64> {
        let tail = core::mem::take(&mut self.slice);
        let word = tail
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        let bits = self.pending_bits + 8 * tail.len() as u32;
        let joined = self.join(word);
        self.pending_bits = bits % 64;
        if bits < 64 {
            self.pending = joined;
            return None;
        }
        Some(joined)
    }
}

impl Iterator for PayloadWords<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some((eight, rest)) = self.slice.split_first_chunk() {
                self.slice = rest;
                return Some(self.join(u64::from_le_bytes(*eight)));
            }
            if !self.slice.is_empty()
                && let Some(word) = self.join_tail()
            {
                return Some(word);
            }
            match self.slices.next() {
                Some(slice) => self.slice = slice,
                None if self.pending_bits == 0 => return None,
                None => {
                    self.pending_bits = 0;
                    return Some(core::mem::take(&mut self.pending));
                }
            }
        }
    }

    /// Folds as repeated calls of `next` would, but takes whole words of a slice in a short loop if nothing is
    /// pending. Payloads come in few pieces, so that is nearly every word.
    #[inline(always)]
    fn fold<B, F: FnMut(B, u64) -> B>(mut self, mut folded: B, mut f: F) -> B {
        loop {
            if self.pending_bits == 0 {
                let (eights, rest) = self.slice.as_chunks();
                for eight in eights {
                    folded = f(folded, u64::from_le_bytes(*eight));
                }
                self.slice = rest;
            }
            match self.next() {
                Some(word) => folded = f(folded, word),
                None => return folded,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn bytes_of(slices: &[&[u8]]) -> Vec<u8> {
        PayloadWords::new(slices).fold(Vec::new(), |mut bytes, word| {
            bytes.extend(word.to_le_bytes());
            bytes
        })
    }

    #[test]
    fn the_last_word_is_filled_up_with_zeros() {
        assert_eq!(bytes_of(&[]), []);
        assert_eq!(bytes_of(&[b"", b""]), []);
        assert_eq!(bytes_of(&[b"abc"]), b"abc\0\0\0\0\0");
        assert_eq!(bytes_of(&[b"abc", b"", b"defgh"]), b"abcdefgh");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn it_does_not_matter_how_a_payload_is_cut(pieces: Vec<Vec<u8>>) {
            let slices: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let mut whole = pieces.concat();
            whole.resize(whole.len().next_multiple_of(8), 0);
            prop_assert_eq!(bytes_of(&slices), &whole[..]);
            // And word by word: `bytes_of` folds.
            let mut words = PayloadWords::new(&slices);
            for eight in whole.chunks(8) {
                prop_assert_eq!(&words.next().unwrap().to_le_bytes(), eight);
            }
            prop_assert_eq!(words.next(), None);
        }
    }
}
