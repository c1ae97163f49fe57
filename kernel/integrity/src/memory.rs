//! Memory as a sweep sees it.

use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::AtomicU64;

/// A page, in bytes.
pub const PAGE_BYTES: u64 = 4096;

/// Words of a page.
const WORDS: u16 = 512;

/// Bits of a page-table entry that the processor sets (Intel SDM vol. 3A, 4.8): accessed, dirty.
const BITS_OF_PROCESSOR: u64 = 1 << 5 | 1 << 6;

/// A page of memory that somebody else may write at any time.
pub type Page = [AtomicU64; WORDS as usize];

/// Physical memory.
pub trait Memory {
    /// Returns whether all of `start..start + bytes` belongs to whom the sweep is about.
    fn owns(&self, start: u64, bytes: u64) -> bool;

    /// Returns the page at this physical address; `None` if it cannot be seen.
    fn page(&mut self, address: u64) -> Option<&Page>;
}

/// Words that must not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Physical address of the first page.
    pub start: u64,
    /// Number of pages.
    pub pages: u64,
    /// The words of each page that count.
    pub words: Range<u16>,
    /// The bits of each word that count.
    pub mask: u64,
}

impl Piece {
    /// Makes a piece of whole pages of text or constants.
    pub fn of_pages(start: u64, pages: u64) -> Self {
        Self {
            start,
            pages,
            words: 0..WORDS,
            mask: u64::MAX,
        }
    }

    /// Makes a piece of these entries of the page table at `start`. Accessed and dirty bits do not count.
    pub fn of_table(start: u64, entries: Range<u16>) -> Self {
        Self {
            start,
            pages: 1,
            words: entries,
            mask: !BITS_OF_PROCESSOR,
        }
    }

    /// Returns whether it is of a page table, which is one page.
    pub(crate) fn is_table(&self) -> bool {
        self.mask != u64::MAX
    }

    /// Makes the pieces of a range of bytes, rounded inwards to words.
    pub fn of_bytes(bytes: Range<u64>) -> Vec<Self> {
        let (mut at, end) = (bytes.start.next_multiple_of(8), bytes.end & !7);
        let mut pieces = Vec::new();
        while at < end {
            let page = at & !(PAGE_BYTES - 1);
            let whole = (end - page) / PAGE_BYTES;
            if at == page && whole > 0 {
                pieces.push(Self::of_pages(page, whole));
                at += whole * PAGE_BYTES;
                continue;
            }
            let stop = end.min(page + PAGE_BYTES);
            let word = |address: u64| ((address - page) / 8) as u16;
            pieces.push(Self {
                words: word(at)..word(stop),
                ..Self::of_pages(page, 1)
            });
            at = stop;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_bytes_is_cut_at_pages_and_rounded_inwards() {
        assert_eq!(Piece::of_bytes(0x1000..0x1000), []);
        assert_eq!(Piece::of_bytes(0x1001..0x1007), []);
        assert_eq!(
            Piece::of_bytes(0x1000..0x4000),
            [Piece::of_pages(0x1000, 3)]
        );
        let cut = Piece::of_bytes(0x1ff1..0x401f);
        let words: Vec<_> = cut.iter().map(|it| (it.start, it.words.clone())).collect();
        assert_eq!(
            words,
            [(0x1000, 511..512), (0x2000, 0..512), (0x4000, 0..3)]
        );
        assert_eq!(cut[1].pages, 2);
        let one = Piece::of_bytes(0x1010..0x1020);
        assert_eq!((one.len(), one[0].words.clone()), (1, 2..4));
    }
}
