//! Log lines about what is wrong with the journal's content.

use core::fmt::Display;

use journal::Finding;
use sharedmem::event::{self, Hex, Text, Word, WordRestored};
use sharedmem::own_word::Overwritten;

/// Logs damage of the journal.
pub(crate) fn log_damage(finding: &Finding) {
    let (damage, what) = (Some(finding.damage.kind()), Text::of(finding));
    log::error!("{}", event::Finding { damage, what });
}

/// Logs that a word was overwritten and is as before: the first, second, fourth, eighth time and so on.
pub(crate) fn log_restored(overwritten: &Overwritten, times: u64) {
    if times.is_power_of_two() {
        let restored = WordRestored {
            word: Word::of(overwritten.word),
            found: Hex(overwritten.found),
            value: Hex(overwritten.value),
            times,
        };
        log::error!("{restored}");
    }
}

/// Logs that a whole record makes no sense.
pub(crate) fn log_finding(what: impl Display) {
    let (damage, what) = (None, Text::of(what));
    log::error!("{}", event::Finding { damage, what });
}
