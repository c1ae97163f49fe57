//! The monitor's own copies of the words that it alone writes in the shared region. What somebody else wrote there is
//! overwritten and named.

use sharedmem::Control;
use sharedmem::event::{Hex, Word, WordRestored};
use sharedmem::keeping::RESTORED;
use sharedmem::sync::Ordering::{Relaxed, Release};

/// What a word must be, and how often it was not.
#[derive(Clone, Copy, Default)]
struct Known {
    value: u64,
    restored: u64,
}

/// The copies.
pub(crate) struct KnownWords([Known; RESTORED.len()]);

impl KnownWords {
    /// Takes the words as they are, before an instance runs.
    pub(crate) fn of(control: &Control) -> Self {
        let mut known = Self([Known::default(); RESTORED.len()]);
        for (word, own) in RESTORED.iter().zip(&mut known.0) {
            own.value = (word.of)(control).load(Relaxed);
        }
        known
    }

    /// Notes that the monitor has just written `value` into the word `name`.
    pub(crate) fn wrote(&mut self, name: &str, value: u64) {
        let words = RESTORED.iter().zip(&mut self.0);
        for (_, own) in words.filter(|(word, _)| word.name == name) {
            own.value = value;
        }
    }

    /// Writes back what is not as it must be. Names a word the first, second, fourth, eighth time and so on.
    pub(crate) fn restore(&mut self, control: &Control) {
        for (word, own) in RESTORED.iter().zip(&mut self.0) {
            let shared = (word.of)(control);
            let found = shared.load(Relaxed);
            if found == own.value {
                continue;
            }
            shared.store(own.value, Release);
            own.restored += 1;
            if own.restored.is_power_of_two() {
                let restored = WordRestored {
                    word: Word::of(word.name),
                    found: Hex(found),
                    value: Hex(own.value),
                    times: own.restored,
                };
                log::error!("{restored}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_word_that_somebody_overwrote_is_what_the_monitor_wrote_last() {
        let control = Box::<Control>::default();
        control.header.initialise(1 << 24, 1 << 23, 5);
        control.epoch.reset(3);
        let mut known = KnownWords::of(&control);
        control.epoch.reset(4);
        known.wrote("epoch", 4);
        for (index, word) in RESTORED.iter().enumerate() {
            let truth = (word.of)(&control).load(Relaxed);
            (word.of)(&control).store(!truth, Relaxed);
            known.restore(&control);
            assert_eq!((word.of)(&control).load(Relaxed), truth, "{}", word.name);
            assert_eq!(known.0[index].restored, 1);
        }
        assert_eq!(control.epoch.current(), 4);
    }
}
