//! The sweep over pieces, a few pages at a time.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use sharedmem::crc32c::Crc32c;

use crate::memory::{Memory, PAGE_BYTES, Piece};

/// How long a whole sweep takes, in ns, if it is let.
pub const LAP_NS: u64 = 1_000_000_000;

/// A page is not as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Altered {
    /// Its physical address.
    pub address: u64,
}

/// Compares pieces with their digests. A page is learned when it is seen for the first time.
#[derive(Debug)]
pub struct Sweep {
    pieces: Vec<Piece>,
    pages: usize,
    crc: Crc32c,
    /// The digest of each page that was learned, in the order of the pieces.
    digests: Vec<u32>,
    /// The next page: its number, its piece, and its number in the piece.
    next: (usize, usize, u64),
    /// Up to when pages were due, in ns.
    paced_ns: u64,
}

impl Sweep {
    /// Makes a sweep over `pieces` that has learned nothing yet.
    pub fn of(pieces: Vec<Piece>) -> Self {
        let pages = pieces.iter().map(|piece| piece.pages as usize).sum();
        Self {
            pieces,
            pages,
            crc: Crc32c::detect(),
            digests: Vec::with_capacity(pages),
            next: (0, 0, 0),
            paced_ns: 0,
        }
    }

    /// Returns the number of pages.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Learns all pages that were not learned yet.
    pub fn learn(&mut self, memory: &mut impl Memory) {
        let left = self.pages - self.digests.len();
        // What is learned is not compared.
        let _ = self.step(memory, left);
    }

    /// Returns how many pages are due at `now_ns`, if there is a whole sweep every [`LAP_NS`]. What is beyond
    /// `pages_max` is put off.
    pub fn due(&mut self, now_ns: u64, pages_max: usize) -> usize {
        let Some(page_ns) = LAP_NS.checked_div(self.pages as u64) else {
            return 0;
        };
        let page_ns = page_ns.max(1);
        self.paced_ns = self.paced_ns.max(now_ns.saturating_sub(LAP_NS));
        let due = (now_ns.saturating_sub(self.paced_ns) / page_ns) as usize;
        if due > pages_max {
            self.paced_ns = now_ns;
            return pages_max;
        }
        self.paced_ns += due as u64 * page_ns;
        due
    }

    /// Learns or compares the next `pages` pages, and begins anew behind the last.
    ///
    /// # Errors
    /// The first page that is not as it was.
    pub fn step(&mut self, memory: &mut impl Memory, pages: usize) -> Result<(), Altered> {
        for _ in 0..pages.min(self.pages) {
            let (number, index, page) = self.next;
            let piece = &self.pieces[index];
            let address = piece.start + page * PAGE_BYTES;
            let digest = digest(self.crc, memory, piece, address);
            self.next = match (number + 1 == self.pages, page + 1 == piece.pages) {
                (true, _) => (0, 0, 0),
                (false, true) => (number + 1, index + 1, 0),
                (false, false) => (number + 1, index, page + 1),
            };
            match self.digests.get(number) {
                None => self.digests.push(digest),
                Some(known) if *known == digest => {}
                Some(_) => return Err(Altered { address }),
            }
        }
        Ok(())
    }
}

impl Sweep {
    /// Compares all page tables that were learned, wherever the sweep is.
    ///
    /// # Errors
    /// The first one that is not as it was.
    pub fn check_tables(&self, memory: &mut impl Memory) -> Result<(), Altered> {
        let mut number = 0;
        for piece in &self.pieces {
            let known = self.digests.get(number).filter(|_| piece.is_table());
            if known.is_some_and(|known| *known != digest(self.crc, memory, piece, piece.start)) {
                return Err(Altered {
                    address: piece.start,
                });
            }
            number += piece.pages as usize;
        }
        Ok(())
    }
}

/// Returns the digest of one page of a piece; of a page that cannot be seen, that of nothing.
fn digest(crc: Crc32c, memory: &mut impl Memory, piece: &Piece, address: u64) -> u32 {
    let words = usize::from(piece.words.start)..usize::from(piece.words.end);
    let page = memory.page(address);
    let words = page.map_or(&[][..], |page| &page[words]).iter();
    crc.of_words(words.map(|word| word.load(Ordering::Relaxed) & piece.mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::tests::FakeMemory;
    use std::vec;

    /// Makes three pages of text, a table, and some words.
    fn pieces() -> Vec<Piece> {
        let mut pieces = vec![Piece::of_pages(0x1000, 3), Piece::of_table(0x5000, 0..256)];
        pieces.extend(Piece::of_bytes(0x6100..0x6200));
        pieces
    }

    fn lap(sweep: &mut Sweep, memory: &mut FakeMemory) -> Result<(), Altered> {
        (0..sweep.pages()).try_for_each(|_| sweep.step(memory, 1))
    }

    #[test]
    fn a_changed_bit_of_any_word_that_counts_is_found_within_a_lap_and_no_other() {
        let mut memory = FakeMemory::new(8);
        let mut sweep = Sweep::of(pieces());
        assert_eq!(sweep.pages(), 5);
        sweep.learn(&mut memory);
        assert_eq!(lap(&mut sweep, &mut memory), Ok(()));
        for address in (0..0x8000).step_by(8) {
            for bit in [0, 5, 6, 31, 63] {
                memory.flip(address, bit);
                let counts = match address {
                    0x1000..0x4000 | 0x6100..0x6200 => true,
                    0x5000..0x5800 => !(5..=6).contains(&bit),
                    _ => false,
                };
                let expected = match counts {
                    true => Err(Altered {
                        address: address & !0xfff,
                    }),
                    false => Ok(()),
                };
                assert_eq!(lap(&mut sweep, &mut memory), expected, "{address:#x}:{bit}");
                memory.flip(address, bit);
                // The sweep stopped behind the damage.
                assert_eq!(lap(&mut sweep, &mut memory), Ok(()));
            }
        }
    }

    #[test]
    fn a_page_is_learned_on_the_first_lap_and_a_page_that_vanishes_is_altered() {
        let mut memory = FakeMemory::new(8);
        let mut sweep = Sweep::of(pieces());
        assert_eq!(sweep.step(&mut memory, 2), Ok(()));
        memory.flip(0x3000, 0);
        assert_eq!(sweep.step(&mut memory, 3), Ok(()), "not learned before");
        assert_eq!(lap(&mut sweep, &mut memory), Ok(()));
        memory.hidden = Some(0x2000);
        let altered = Altered { address: 0x2000 };
        assert_eq!(lap(&mut sweep, &mut memory), Err(altered));
    }

    #[test]
    fn all_tables_are_compared_at_once_and_nothing_else() {
        let mut memory = FakeMemory::new(8);
        let mut sweep = Sweep::of(pieces());
        memory.flip(0x5000, 1);
        assert_eq!(sweep.check_tables(&mut memory), Ok(()), "not learned");
        sweep.learn(&mut memory);
        memory.flip(0x1000, 1);
        assert_eq!(sweep.check_tables(&mut memory), Ok(()));
        memory.flip(0x5000, 1);
        let altered = Altered { address: 0x5000 };
        assert_eq!(sweep.check_tables(&mut memory), Err(altered));
    }

    #[test]
    fn a_lap_takes_a_second_however_often_it_is_asked_and_never_more_than_allowed_at_once() {
        for look_ns in [10_000, 999_999, 20_000_000] {
            let mut sweep = Sweep::of(vec![Piece::of_pages(0, 1000)]);
            assert_eq!(sweep.due(7 * LAP_NS, 5000), 1000);
            let looks = (1..=LAP_NS / look_ns).map(|look| 7 * LAP_NS + look * look_ns);
            let due: usize = looks.map(|now_ns| sweep.due(now_ns, 5000)).sum();
            assert!((990..=1000).contains(&due), "{due} at {look_ns}");
        }
        let mut sweep = Sweep::of(vec![Piece::of_pages(0, 1000)]);
        assert_eq!(sweep.due(LAP_NS, 16), 16);
        assert_eq!(sweep.due(LAP_NS, 16), 0);
        assert_eq!(Sweep::of(Vec::new()).due(LAP_NS, 16), 0);
        assert_eq!(
            Sweep::of(Vec::new()).step(&mut FakeMemory::new(1), 3),
            Ok(())
        );
    }
}
