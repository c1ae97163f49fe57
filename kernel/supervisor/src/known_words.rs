//! The monitor's own copies of the words that it alone writes in the shared region. What somebody else wrote there is
//! overwritten and named.

use sharedmem::Control;
use sharedmem::event::{Hex, Word, WordRestored};
use sharedmem::keeping::RESTORED;
use sharedmem::own_word::OwnWord;

/// What a word must be, and how often it was not.
#[derive(Clone, Copy)]
struct Known {
    word: OwnWord<'static>,
    restored: u64,
}

/// The copies.
pub(crate) struct KnownWords([Known; RESTORED.len()]);

impl KnownWords {
    /// Takes the words as they are, before an instance runs.
    pub(crate) fn of(control: &'static Control) -> Self {
        Self(RESTORED.each_ref().map(|word| Known {
            word: OwnWord::adopt(word.name, (word.of)(control)),
            restored: 0,
        }))
    }

    /// Notes that the monitor has just written `value` into the word `name`.
    pub(crate) fn wrote(&mut self, name: &str, value: u64) {
        let known = self.0.iter_mut().map(|known| &mut known.word);
        for word in known.filter(|word| word.name() == name) {
            word.wrote(value);
        }
    }

    /// Writes back what is not as it must be. Names a word the first, second, fourth, eighth time and so on.
    pub(crate) fn restore(&mut self) {
        for Known { word, restored } in &mut self.0 {
            let Some(overwritten) = word.restore() else {
                continue;
            };
            *restored += 1;
            if restored.is_power_of_two() {
                let restored = WordRestored {
                    word: Word::of(overwritten.word),
                    found: Hex(overwritten.found),
                    value: Hex(overwritten.value),
                    times: *restored,
                };
                log::error!("{restored}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::sync::Ordering::Relaxed;
    use std::boxed::Box;

    #[test]
    fn a_word_that_somebody_overwrote_is_what_the_monitor_wrote_last() {
        let control: &'static Control = Box::leak(Box::default());
        control.header.initialise(1 << 24, 1 << 23, 5);
        control.epoch.reset(3);
        let mut known = KnownWords::of(control);
        control.epoch.reset(4);
        known.wrote("epoch", 4);
        for (index, word) in RESTORED.iter().enumerate() {
            let truth = (word.of)(control).load(Relaxed);
            (word.of)(control).store(!truth, Relaxed);
            known.restore();
            assert_eq!((word.of)(control).load(Relaxed), truth, "{}", word.name);
            assert_eq!(known.0[index].restored, 1);
        }
        assert_eq!(control.epoch.current(), 4);
    }
}
