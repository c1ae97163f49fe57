//! How each part of the control block is kept true, and the words that the monitor writes again if somebody else did.
//!
//! A stray write may hit any word. Of some the monitor knows the truth, because it alone writes them; these are
//! [`RESTORED`]. Others have one writer that keeps a copy ([`OwnWord`](crate::own_word::OwnWord)). Every part of the
//! block is in [`PARTS`], so that a new one cannot be forgotten.

use core::mem::offset_of;

use crate::control::Control;
use crate::sync::AtomicU64;

/// How a part is kept true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The monitor has a copy of its words, and writes it back.
    Restored,
    /// The only writer of each word has a copy, and writes it back; a primary then dies while a backup can take over.
    Owned,
    /// A value that no writer can have left is a loss: the backup's, or the primary's.
    Judged,
    /// Readers take any value: they check it, or it is for people.
    Checked,
}

/// The parts of the control block in order: name, offset in bytes, and how each is kept.
pub const PARTS: &[(&str, usize, Keeping)] = &[
    ("header", offset_of!(Control, header), Keeping::Restored),
    ("epoch", offset_of!(Control, epoch), Keeping::Restored),
    (
        "protection",
        offset_of!(Control, protection),
        Keeping::Judged,
    ),
    (
        "primary_keepalive",
        offset_of!(Control, primary_keepalive),
        Keeping::Judged,
    ),
    (
        "seat_keepalive",
        offset_of!(Control, seat_keepalive),
        Keeping::Checked,
    ),
    ("journal", offset_of!(Control, journal), Keeping::Owned),
    ("debug", offset_of!(Control, debug), Keeping::Checked),
    ("backup", offset_of!(Control, backup), Keeping::Checked),
    ("console", offset_of!(Control, console), Keeping::Checked),
    ("epitaphs", offset_of!(Control, epitaphs), Keeping::Checked),
    (
        "timelines",
        offset_of!(Control, timelines),
        Keeping::Checked,
    ),
    (
        "monitor_log",
        offset_of!(Control, monitor_log),
        Keeping::Checked,
    ),
    (
        "instance_logs",
        offset_of!(Control, instance_logs),
        Keeping::Checked,
    ),
    (
        "resume_slots",
        offset_of!(Control, resume_slots),
        Keeping::Checked,
    ),
    ("mailbox", offset_of!(Control, mailbox), Keeping::Checked),
    ("versions", offset_of!(Control, versions), Keeping::Checked),
    ("withheld", offset_of!(Control, withheld), Keeping::Checked),
    (
        "condemned",
        offset_of!(Control, condemned),
        Keeping::Checked,
    ),
    (
        "obstacles",
        offset_of!(Control, obstacles),
        Keeping::Restored,
    ),
];

/// A word that the monitor alone writes.
#[derive(Clone, Copy)]
pub struct RestoredWord {
    /// Its name.
    pub name: &'static str,
    /// Returns the word.
    pub of: fn(&Control) -> &AtomicU64,
}

/// Every word that the monitor alone writes in the parts that are [`Keeping::Restored`], and of other parts those on
/// which others act: the last loss of a backup, and the request that was answered last.
pub const RESTORED: [RestoredWord; 11] = [
    RestoredWord {
        name: "magic",
        of: |it| &it.header.magic,
    },
    RestoredWord {
        name: "revisions",
        of: |it| &it.header.revisions,
    },
    RestoredWord {
        name: "region_bytes",
        of: |it| &it.header.region_bytes,
    },
    RestoredWord {
        name: "journal_bytes",
        of: |it| &it.header.journal_bytes,
    },
    RestoredWord {
        name: "journal_salt",
        of: |it| &it.header.journal_salt,
    },
    RestoredWord {
        name: "primary_instance",
        of: |it| &it.header.primary_instance,
    },
    RestoredWord {
        name: "time_before_ns",
        of: |it| &it.header.time_before_ns,
    },
    RestoredWord {
        name: "epoch",
        of: |it| it.epoch.word(),
    },
    RestoredWord {
        name: "backup_lost",
        of: |it| it.backup.lost_word(),
    },
    RestoredWord {
        name: "answered",
        of: |it| it.mailbox.answered_word(),
    },
    RestoredWord {
        name: "obstacles",
        of: |it| &it.obstacles,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Header;
    use crate::layout::Layout;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn every_word_that_the_monitor_alone_writes_in_the_header_is_restored() {
        // A primary that resets the machine counts that as well.
        let is_the_monitors = |name: &&str| *name != "resets";
        let fields = Header::FIELDS.iter().map(|field| field.name);
        let mut wanted: Vec<&str> = fields.filter(is_the_monitors).collect();
        wanted.extend(["epoch", "backup_lost", "answered", "obstacles"]);
        let listed: Vec<&str> = RESTORED.iter().map(|word| word.name).collect();
        assert_eq!(listed, wanted);
    }

    /// Reads the fields of the block from its source, as its parts are of many types.
    #[test]
    fn no_part_of_the_block_is_forgotten() {
        let source = include_str!("control.rs");
        let begin = source.find("pub struct Control {").unwrap();
        let end = begin + source[begin..].find("\n}").unwrap();
        let fields: Vec<String> = source[begin..end]
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub "))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.into())
            .collect();
        let listed: Vec<&str> = PARTS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(listed, fields);
        assert!(PARTS.is_sorted_by_key(|(_, offset_bytes, _)| *offset_bytes));
    }
}
