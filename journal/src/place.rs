//! A place in the ring: words one after another, round and round.

use sharedmem::sync::Ordering;

use sharedmem::Words;

/// The next word to look at. Copies of it move on their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<W> {
    words: W,
    /// Index of the word; the number of words means 0. It is wrapped only when it is used, against the same length as
    /// the access itself, so that the compiler merges the two checks.
    next: usize,
}

impl<W: Words> Place<W> {
    /// Returns the place of `position`; `words` are not empty.
    #[inline]
    pub fn of(position: u64, words: W) -> Self {
        let count = words.len() as u64;
        Self {
            next: (position / 8 % count) as usize,
            words,
        }
    }

    /// Reads the word here and moves on.
    #[inline]
    pub fn load(&mut self, order: Ordering) -> u64 {
        let index = self.advance();
        self.words.load(index, order)
    }

    /// Writes the word here and moves on.
    #[inline]
    pub fn store(&mut self, value: u64, order: Ordering) {
        let index = self.advance();
        self.words.store(index, value, order);
    }

    #[inline]
    fn advance(&mut self) -> usize {
        let index = if self.next < self.words.len() {
            self.next
        } else {
            0
        };
        self.next = index + 1;
        index
    }
}

impl<W: Words + Copy> Place<W> {
    /// Moves on. Returns the place left behind, to be written later.
    #[inline]
    pub fn leave(&mut self) -> Self {
        let left = *self;
        self.advance();
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::sync::AtomicU64;
    use sharedmem::sync::Ordering::Relaxed;

    #[test]
    fn a_place_goes_round_the_ring() {
        let words: [AtomicU64; 9] = core::array::from_fn(|index| AtomicU64::new(index as u64));
        let mut place = Place::of(7 * 8 + 9 * 8 * 5, &words[..]);
        let mut left = place.leave();
        assert_eq!(
            [(); 10].map(|()| place.load(Relaxed)),
            [8, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        );
        assert_eq!(left.load(Relaxed), 7);
        left.store(100, Relaxed);
        left.store(200, Relaxed);
        assert_eq!([8, 0].map(|index| words[index].load(Relaxed)), [100, 200]);
    }
}
