//! Words that one kernel alone writes, each with that kernel's own copy.
//!
//! Whoever writes a word alone knows what it must be. It never believes what it reads there: it compares with its copy,
//! and if the two differ, somebody else wrote there.

use core::fmt;

use crate::sync::{AtomicU64, Ordering};

/// A word of shared memory with its only writer's copy.
#[derive(Clone, Copy, Debug)]
pub struct OwnWord<'a> {
    name: &'static str,
    shared: &'a AtomicU64,
    value: u64,
}

/// A word was overwritten by somebody who must not write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overwritten {
    /// The word's name.
    pub word: &'static str,
    /// What it was found to be.
    pub found: u64,
    /// What its only writer had written.
    pub value: u64,
}

impl fmt::Display for Overwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { word, found, value } = self;
        write!(
            f,
            "the word '{word}' is {found:#x} and must be {value:#x}: somebody overwrote it"
        )
    }
}

impl core::error::Error for Overwritten {}

impl<'a> OwnWord<'a> {
    /// Takes a word over as it is. From now on only its owner writes it.
    pub fn adopt(name: &'static str, shared: &'a AtomicU64) -> Self {
        Self {
            name,
            shared,
            value: shared.load(Ordering::Acquire),
        }
    }

    /// Returns the word's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns what the word must be.
    #[inline]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Writes the word. What somebody else wrote there is gone.
    #[inline]
    pub fn set(&mut self, value: u64) {
        self.value = value;
        self.shared.store(value, Ordering::Release);
    }

    /// Notes that the owner has written the word by other means than this type's.
    pub fn wrote(&mut self, value: u64) {
        self.value = value;
    }

    /// Writes the word if it is what it must be.
    ///
    /// # Errors
    /// It is not, and stays as it is.
    #[inline]
    pub fn replace(&mut self, value: u64) -> Result<(), Overwritten> {
        let exchange =
            self.shared
                .compare_exchange(self.value, value, Ordering::AcqRel, Ordering::Acquire);
        match exchange {
            Ok(_) => self.value = value,
            Err(found) => return Err(self.overwritten(found)),
        }
        Ok(())
    }

    /// Checks that the word is what it must be.
    ///
    /// # Errors
    /// It is not, and stays as it is.
    #[inline]
    pub fn check(&self) -> Result<(), Overwritten> {
        match self.shared.load(Ordering::Acquire) {
            found if found == self.value => Ok(()),
            found => Err(self.overwritten(found)),
        }
    }

    /// Writes the word again if it is not what it must be. Returns what was wrong.
    pub fn restore(&self) -> Option<Overwritten> {
        let wrong = self.check().err();
        if wrong.is_some() {
            self.shared.store(self.value, Ordering::Release);
        }
        wrong
    }

    #[cold]
    fn overwritten(&self, found: u64) -> Overwritten {
        Overwritten {
            word: self.name,
            found,
            value: self.value,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn what_somebody_else_wrote_is_found_and_not_built_upon() {
        let shared = AtomicU64::new(7);
        let mut word = OwnWord::adopt("applied", &shared);
        assert_eq!((word.replace(8), word.check()), (Ok(()), Ok(())));
        shared.store(9, Ordering::Relaxed);
        let overwritten = Overwritten {
            word: "applied",
            found: 9,
            value: 8,
        };
        assert_eq!(word.check(), Err(overwritten));
        assert_eq!(word.replace(10), Err(overwritten));
        assert_eq!((word.value(), shared.load(Ordering::Relaxed)), (8, 9));
        assert_eq!(word.restore(), Some(overwritten));
        assert_eq!((word.restore(), shared.load(Ordering::Relaxed)), (None, 8));
        word.set(11);
        assert_eq!((word.value(), word.check()), (11, Ok(())));
        assert!(overwritten.to_string().contains("'applied' is 0x9"));
    }
}
