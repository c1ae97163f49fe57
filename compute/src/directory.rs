//! What lies at the beginning of a computation's data: the ranks' slots, and what is needed to continue.

use sharedmem::sync::AtomicU64;

use crate::memory::{ALIGNMENT, Memory};
use crate::{collective, message};

/// The words in front of the regions.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'m> {
    /// Where the ranks meet.
    pub slots: &'m [AtomicU64],
    /// Where they leave messages.
    pub outboxes: &'m [AtomicU64],
    /// The fingerprint of the regions whose steps are committed.
    pub regions: &'m AtomicU64,
    /// Checksum of each rank's part: of even steps, then of odd ones.
    pub checksums: [&'m [AtomicU64]; 2],
}

/// Returns the number of words of the directory for `ranks` ranks.
const fn words(ranks: usize) -> usize {
    collective::words_for(ranks) + message::words_for(ranks) + 1 + 2 * ranks
}

/// Returns the length of the directory for `ranks` ranks, in bytes. The regions begin there.
pub const fn bytes(ranks: usize) -> u64 {
    (8 * words(ranks) as u64).next_multiple_of(ALIGNMENT)
}

impl<'m> Directory<'m> {
    /// Returns the directory of this memory, which is large enough for one of any number of ranks.
    pub fn of(memory: &Memory<'m>) -> Self {
        let ranks = memory.ranks();
        // SAFETY: every layout of regions begins behind the directory.
        #[allow(unsafe_code)]
        let all = unsafe { memory.words(0, words(ranks)) };
        let (slots, rest) = all.split_at(collective::words_for(ranks));
        let (outboxes, rest) = rest.split_at(message::words_for(ranks));
        let (even, odd) = rest[1..].split_at(ranks);
        Self {
            slots,
            outboxes,
            regions: &rest[0],
            checksums: [even, odd],
        }
    }
}
