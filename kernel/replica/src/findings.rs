//! Log lines about what is wrong with the journal's content.

use core::fmt::Display;

use journal::Finding;
use sharedmem::event::{self, Text};

/// Logs damage of the journal.
pub(crate) fn log_damage(finding: &Finding) {
    let (damage, what) = (Some(finding.damage.kind()), Text::of(finding));
    log::error!("{}", event::Finding { damage, what });
}

/// Logs that a whole record makes no sense.
pub(crate) fn log_finding(what: impl Display) {
    let (damage, what) = (None, Text::of(what));
    log::error!("{}", event::Finding { damage, what });
}
