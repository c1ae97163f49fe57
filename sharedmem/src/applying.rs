//! Which journal record the primary applies now, and in which one earlier primaries died. So a record that kills every
//! kernel is not retried for ever.

use crate::own_word::OwnWord;
use crate::sync::{AtomicU64, Ordering};

/// In the current word: a record is being applied. Positions are multiples of 8, so the bit is free.
const IS_APPLYING: u64 = 1;

/// In the suspect's word: how many primaries died in the record.
const DEATHS: u64 = 7;

/// A record in which one primary after another died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Its position in the journal.
    pub position: u64,
    /// How many primaries died in it; counted up to 7.
    pub deaths: u64,
}

/// The two words. Writer: the primary. They outlive it, and a reset of the machine.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Applying {
    current: AtomicU64,
    suspect: AtomicU64,
}

impl Applying {
    /// Notes that the primary begins to apply the record at `position`.
    #[inline]
    pub fn begin(&self, position: u64) {
        self.current
            .store(position & !DEATHS | IS_APPLYING, Ordering::Release);
    }

    /// Notes that the record is applied.
    #[inline]
    pub fn end(&self) {
        self.current.store(0, Ordering::Release);
    }

    /// Counts a death in the record that the previous primary was applying, if there is one, for a new primary. Returns
    /// the suspect.
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

    /// Removes the suspect: a primary has applied everything that was left.
    pub fn absolve(&self) {
        self.suspect.store(0, Ordering::Release);
    }

    /// Restores what an earlier boot left.
    pub fn restore(&self, left: [u64; 2]) {
        let [current, suspect] = left;
        self.current.store(current, Ordering::Relaxed);
        self.suspect.store(suspect, Ordering::Release);
    }

    /// Returns what a later boot is to restore.
    pub fn save(&self) -> [u64; 2] {
        [&self.current, &self.suspect].map(|word| word.load(Ordering::Acquire))
    }

    /// Returns the two words: the current one and the suspect's. For fault injection.
    pub fn words(&self) -> [&AtomicU64; 2] {
        [&self.current, &self.suspect]
    }

    /// Takes both words over, for a primary that has recovered: from now on nobody else writes them.
    pub fn own(&self) -> OwnApplying<'_> {
        OwnApplying {
            current: OwnWord::adopt("applying", &self.current),
            suspect: OwnWord::adopt("suspect", &self.suspect),
        }
    }

    fn suspect(&self) -> Option<Suspect> {
        let word = self.suspect.load(Ordering::Acquire);
        (word & DEATHS != 0).then_some(Suspect {
            position: word & !DEATHS,
            deaths: word & DEATHS,
        })
    }
}

/// The two words, with their only writer's copies.
#[derive(Clone, Copy, Debug)]
pub struct OwnApplying<'a> {
    current: OwnWord<'a>,
    suspect: OwnWord<'a>,
}

impl<'a> OwnApplying<'a> {
    /// Notes that the primary begins to apply the record at `position`.
    #[inline]
    pub fn begin(&mut self, position: u64) {
        self.current.set(position & !DEATHS | IS_APPLYING);
    }

    /// Notes that the record is applied.
    #[inline]
    pub fn end(&mut self) {
        self.current.set(0);
    }

    /// Returns the two words.
    pub fn words(&self) -> [&OwnWord<'a>; 2] {
        [&self.current, &self.suspect]
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
            // Applying the records before it, and after a reset once more, does not clear it.
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
    fn a_suspect_that_somebody_invented_is_found() {
        let applying = Applying::default();
        let mut own = applying.own();
        own.begin(64);
        assert_eq!(applying.save(), [64 | IS_APPLYING, 0]);
        own.end();
        assert!(own.words().iter().all(|word| word.check().is_ok()));
        applying.restore([0, 64 | 2]);
        let wrong: [bool; 2] = own.words().map(|word| word.restore().is_some());
        assert_eq!((wrong, applying.save()), ([false, true], [0, 0]));
    }

    #[test]
    fn a_death_in_the_record_that_its_owner_notes_is_counted() {
        let applying = Applying::default();
        applying.own().begin(64);
        let suspect = applying.settle();
        let expected = Suspect {
            position: 64,
            deaths: 1,
        };
        assert_eq!(suspect, Some(expected));
    }

    #[test]
    fn a_death_in_no_record_suspects_none() {
        let applying = Applying::default();
        applying.begin(64);
        applying.end();
        assert_eq!(applying.settle(), None);
    }
}
