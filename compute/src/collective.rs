//! Collective operations: what all ranks do together.
//!
//! There is one way to do it. Each rank has a slot, which it alone writes. It publishes there what it came to do and
//! what it brings, then waits for the slots of all others, and looks at them in the order of the ranks. So an operation
//! has no lock and no counter that a dead rank could leave in the middle, its result is the same on all ranks, and
//! whoever came to do something else is seen by everybody.
//!
//! A slot has two places, used in turn. A rank is at most one operation ahead of another, because it leaves an
//! operation only after all have come to it; so what it publishes next never overwrites what the other still reads.

use core::fmt;

use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::{Acquire, Relaxed, Release};

use crate::error::Error;
use crate::memory::Memory;
use crate::rank::Host;

/// Maximum number of values that a rank brings to one operation.
pub const VALUES_MAX: usize = 6;

/// Words of a place: sequence number, operation, values.
const PLACE_WORDS: usize = 2 + VALUES_MAX;

/// Words of a slot: two places on cache lines of their own.
const SLOT_WORDS: usize = 32;

/// How often a waiting rank looks for another's arrival between two looks whether the computation has ended.
const LOOKS: u32 = 64;

/// What a rank came to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collective {
    /// Begin, with these regions.
    Begin,
    /// Wait for all.
    Barrier,
    /// Reduce this many values to one of each.
    Reduce(usize),
    /// Take this many values from one rank.
    Broadcast {
        /// The rank that has them.
        root: usize,
        /// How many.
        count: usize,
    },
    /// Commit this step.
    Commit(u64),
    /// End.
    End,
}

impl Collective {
    /// Returns it as a word.
    fn word(self) -> u64 {
        match self {
            Self::Begin => 1,
            Self::Barrier => 2,
            Self::Reduce(count) => 3 | (count as u64) << 8,
            Self::Broadcast { root, count } => 4 | (count as u64) << 8 | (root as u64) << 16,
            Self::Commit(step) => 5 | step << 8,
            Self::End => 6,
        }
    }

    fn from_word(word: u64) -> Option<Self> {
        let count = (word >> 8 & 0xff) as usize;
        let it = match word & 0xff {
            1 => Self::Begin,
            2 => Self::Barrier,
            3 => Self::Reduce(count),
            4 => Self::Broadcast {
                root: (word >> 16) as usize,
                count,
            },
            5 => Self::Commit(word >> 8),
            6 => Self::End,
            _ => return None,
        };
        (it.word() == word).then_some(it)
    }
}

impl fmt::Display for Collective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => write!(f, "the beginning"),
            Self::Barrier => write!(f, "a barrier"),
            Self::Reduce(count) => write!(f, "a reduction of {count} values"),
            Self::Broadcast { root, count } => {
                write!(f, "a broadcast of {count} values from rank {root}")
            }
            Self::Commit(step) => write!(f, "the commit of step {step}"),
            Self::End => write!(f, "the end"),
        }
    }
}

/// The slots of all ranks, as one of them has them.
#[derive(Debug)]
pub struct Slots<'m> {
    words: &'m [AtomicU64],
    ranks: usize,
    rank: usize,
    /// Differs in every entry, so that nothing that an earlier one left counts as an arrival.
    base: u64,
    count: u64,
}

/// Returns how many words the slots of `ranks` ranks take.
pub const fn words_for(ranks: usize) -> usize {
    ranks * SLOT_WORDS
}

impl<'m> Slots<'m> {
    /// Makes the view of one rank. `words` is zeroed or has what earlier generations left.
    pub fn new(words: &'m [AtomicU64], rank: usize, ranks: usize, generation: u64) -> Self {
        assert!(words.len() == words_for(ranks) && rank < ranks);
        Self {
            words,
            ranks,
            rank,
            // Far from that of any other generation, by the golden ratio.
            base: generation.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            count: 0,
        }
    }

    /// Returns how many operations this rank has come to.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Comes to an operation with `values`, waits for all ranks, and shows what each brings to `each`, in their order.
    ///
    /// # Errors
    /// [`Error::Disagreement`]; or what `wait`, which is called while a rank waits, returns.
    pub fn meet(
        &mut self,
        what: Collective,
        values: &[u64],
        mut wait: impl FnMut() -> Result<(), Error>,
        mut each: impl FnMut(&[u64]),
    ) -> Result<(), Error> {
        self.count += 1;
        let sequence = self.base.wrapping_add(self.count);
        let own = self.place(self.rank);
        for (word, value) in own[2..].iter().zip(values) {
            word.store(*value, Relaxed);
        }
        own[1].store(what.word(), Relaxed);
        own[0].store(sequence, Release);
        for rank in 0..self.ranks {
            let place = self.place(rank);
            while place[0].load(Acquire) != sequence {
                wait()?;
            }
            let theirs = place[1].load(Relaxed);
            if theirs != what.word() {
                return Err(Error::Disagreement {
                    other: rank,
                    mine: what,
                    theirs: Collective::from_word(theirs),
                });
            }
            let mut brought = [0; VALUES_MAX];
            for (value, word) in brought.iter_mut().zip(&place[2..]) {
                *value = word.load(Relaxed);
            }
            each(&brought[..values.len()]);
        }
        Ok(())
    }

    /// Returns the place of a rank for the operation that this rank is at.
    fn place(&self, rank: usize) -> &'m [AtomicU64] {
        let turn = (self.count % 2) as usize;
        let start = rank * SLOT_WORDS + turn * (SLOT_WORDS / 2);
        &self.words[start..start + PLACE_WORDS]
    }
}

/// Returns what a rank does while it waits: it lets others go first, and looks whether the computation has ended.
pub fn waiting<'w>(
    memory: &'w Memory<'_>,
    host: &'w dyn Host,
) -> impl FnMut() -> Result<(), Error> + 'w {
    let mut looks = 0_u32;
    move || {
        host.relax();
        looks += 1;
        let is_over = looks.is_multiple_of(LOOKS) && crate::rank::is_over(memory);
        match is_over {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}
