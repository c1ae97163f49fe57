//! Messages from one rank to another.
//!
//! Each rank has an outbox with room for one message. The sender fills it, the receiver empties it. Whoever receives
//! names the sender, so the order of messages never depends on time.

use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{Acquire, Relaxed, Release};

use crate::collective::VALUES_MAX;
use crate::error::Error;

/// Words of an outbox, on cache lines of its own: state, receiver, number of values, values.
const BOX_WORDS: usize = 16;

/// Returns how many words the outboxes of `ranks` ranks take.
pub const fn words_for(ranks: usize) -> usize {
    ranks * BOX_WORDS
}

/// The outboxes of all ranks, as one of them has them.
#[derive(Debug)]
pub struct Outboxes<'m> {
    words: &'m [AtomicU64],
    rank: usize,
    /// The state of an outbox with a message of this entry; any other state is that of an empty one.
    full: u64,
}

impl<'m> Outboxes<'m> {
    /// Makes the view of one rank.
    pub fn new(words: &'m [AtomicU64], rank: usize, generation: u64) -> Self {
        Self {
            words,
            rank,
            full: generation.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// Puts a message into the own outbox, as soon as the one before was received.
    ///
    /// # Errors
    /// What `wait` returns, which is called while the outbox is full.
    pub fn send(
        &self,
        to: usize,
        values: &[u64],
        mut wait: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let own = self.outbox(self.rank);
        while own[0].load(Acquire) == self.full {
            wait()?;
        }
        own[1].store(to as u64, Relaxed);
        own[2].store(values.len() as u64, Relaxed);
        for (word, value) in own[3..].iter().zip(values) {
            word.store(*value, Relaxed);
        }
        own[0].store(self.full, Release);
        Ok(())
    }

    /// Takes the next message that rank `from` sends to this one.
    ///
    /// # Errors
    /// The message has another number of values; or what `wait` returns, which is called while there is none.
    pub fn receive<const N: usize>(
        &self,
        from: usize,
        mut wait: impl FnMut() -> Result<(), Error>,
    ) -> Result<[u64; N], Error> {
        const { assert!(N <= VALUES_MAX, "a message has up to six values") };
        let theirs = self.outbox(from);
        let is_mine =
            || theirs[0].load(Acquire) == self.full && theirs[1].load(Relaxed) == self.rank as u64;
        while !is_mine() {
            wait()?;
        }
        if theirs[2].load(Relaxed) != N as u64 {
            return Err(Error::Program(
                "a message has another number of values than its receiver wants",
            ));
        }
        let values = core::array::from_fn(|index| theirs[3 + index].load(Relaxed));
        theirs[0].store(0, Release);
        Ok(values)
    }

    /// Returns whether this rank has sent a message that nobody has received.
    pub fn is_waiting(&self) -> bool {
        self.outbox(self.rank)[0].load(Acquire) == self.full
    }

    fn outbox(&self, rank: usize) -> &'m [AtomicU64] {
        &self.words[rank * BOX_WORDS..(rank + 1) * BOX_WORDS]
    }
}
