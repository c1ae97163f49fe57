//! Which journal record the owner applies now, and which one stopped an owner: so that one that stops every kernel is not tried for ever.

use crate::sync::{AtomicU64, Ordering};

/// In the current word: there is a record. Positions are multiples of 8.
const IS_APPLYING: u64 = 1;

/// In the suspect's word: how many owners stopped in it.
const DEATHS: u64 = 7;

/// A record that owners stopped in, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Where it lies in the journal.
    pub position: u64,
    /// How many; counted to 7.
    pub deaths: u64,
}

/// The words. Writer: the owner. They outlive it, and a reset of the machine.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Applying {
    current: AtomicU64,
    suspect: AtomicU64,
}

impl Applying {
    /// The owner begins to apply the record at `position`.
    #[inline]
    pub fn begin(&self, position: u64) {
        self.current
            .store(position & !DEATHS | IS_APPLYING, Ordering::Release);
    }

    /// It has applied it.
    #[inline]
    pub fn end(&self) {
        self.current.store(0, Ordering::Release);
    }

    /// A new owner counts the record that the last one stopped in, if it stopped in one. Returns the suspect.
    pub fn settle(&self) -> Option<Suspect> {
        let current = self.current.swap(0, Ordering::AcqRel);
        if current & IS_APPLYING != 0 {
            let position = current & !DEATHS;
            let deaths = self
                .suspect()
                .filter(|suspect| suspect.position == position)
                .map_or(1, |suspect| (suspect.deaths + 1).min(DEATHS));
            self.suspect.store(position | deaths, Ordering::Release);
        }
        self.suspect()
    }

    /// An owner has applied everything that was left: nobody is suspected any more.
    pub fn absolve(&self) {
        self.suspect.store(0, Ordering::Release);
    }

    /// Takes over what an earlier boot left.
    pub fn restore(&self, left: [u64; 2]) {
        let [current, suspect] = left;
        self.current.store(current, Ordering::Relaxed);
        self.suspect.store(suspect, Ordering::Release);
    }

    /// What a later boot is to take over.
    pub fn save(&self) -> [u64; 2] {
        [&self.current, &self.suspect].map(|word| word.load(Ordering::Acquire))
    }

    fn suspect(&self) -> Option<Suspect> {
        let word = self.suspect.load(Ordering::Acquire);
        (word & DEATHS != 0).then_some(Suspect {
            position: word & !DEATHS,
            deaths: word & DEATHS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_in_the_same_record_are_counted() {
        let applying = Applying::default();
        assert_eq!(applying.settle(), None);
        let suspect = |position, deaths| Some(Suspect { position, deaths });
        for deaths in [1, 2, 3, 4, 5, 6, 7, 7] {
            // What is applied before it, and after a reset before it again, does not clear it.
            applying.begin(0);
            applying.end();
            applying.begin(64);
            let later = Applying::default();
            later.restore(applying.save());
            assert_eq!(later.settle(), suspect(64, deaths));
            applying.restore(later.save());
        }
        applying.begin(0);
        assert_eq!(applying.settle(), suspect(0, 1));
        applying.absolve();
        assert_eq!(applying.settle(), None);
    }

    #[test]
    fn a_death_in_no_record_suspects_none() {
        let applying = Applying::default();
        applying.begin(64);
        applying.end();
        assert_eq!(applying.settle(), None);
    }
}
