//! Memory as 64-bit words: all that the journal needs of its region.

use crate::sync::{AtomicU64, Ordering};

/// A run of 64-bit words that another kernel may change at any instant.
///
/// The kernel implements it by mapped memory; tests implement it by memory that records, reorders or corrupts. As with
/// a slice, an index out of range is a bug of the caller and panics: callers check indices that come from shared
/// memory.
pub trait Words {
    /// Returns the number of words.
    fn len(&self) -> usize;
    /// Reads word `index`.
    fn load(&self, index: usize, order: Ordering) -> u64;
    /// Writes word `index`.
    fn store(&self, index: usize, value: u64, order: Ordering);

    /// Returns whether there are no words.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Words for [AtomicU64] {
    fn len(&self) -> usize {
        <[AtomicU64]>::len(self)
    }

    #[inline]
    fn load(&self, index: usize, order: Ordering) -> u64 {
        self[index].load(order)
    }

    #[inline]
    fn store(&self, index: usize, value: u64, order: Ordering) {
        self[index].store(value, order);
    }
}

impl<W: Words + ?Sized> Words for &W {
    fn len(&self) -> usize {
        (**self).len()
    }

    #[inline]
    fn load(&self, index: usize, order: Ordering) -> u64 {
        (**self).load(index, order)
    }

    #[inline]
    fn store(&self, index: usize, value: u64, order: Ordering) {
        (**self).store(index, value, order);
    }
}
