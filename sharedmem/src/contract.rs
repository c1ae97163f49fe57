//! Every list of the contract, for code that treats all lists alike: the C header's generator, and the tests of
//! `docs/shared-memory.md`.

use crate::abi::{EntryReason, SeatStatus, Vector};
use crate::cause::{BackupLoss, Cause, StateFault};
use crate::console::ConsoleOwner;
use crate::debug::PromotionFault;
use crate::device::{DeviceFlag, DeviceRequest};
use crate::epitaph::{EpitaphCause, EpitaphState};
use crate::instance::{Instance, Role};
use crate::mailbox::{Answer, Command, ComputeOrder, ImageSource};
use crate::numbered::List;
use crate::obstacle::Obstacle;
use crate::protection::ProtectionState;
use crate::record::RecordKind;
use crate::resume_slot::ParkState;
use crate::slice::{DeathCause, SliceEntry, SliceState};
use crate::timeline::{Counter, Edge, Phase};

/// The lists.
pub const LISTS: [List; 28] = [
    Instance::LIST,
    Role::LIST,
    Vector::LIST,
    ProtectionState::LIST,
    Obstacle::LIST,
    ConsoleOwner::LIST,
    Edge::LIST,
    Phase::LIST,
    Counter::LIST,
    Cause::LIST,
    StateFault::LIST,
    BackupLoss::LIST,
    EpitaphState::LIST,
    EpitaphCause::LIST,
    ParkState::LIST,
    Command::LIST,
    ComputeOrder::LIST,
    ImageSource::LIST,
    Answer::LIST,
    RecordKind::LIST,
    EntryReason::LIST,
    SeatStatus::LIST,
    PromotionFault::LIST,
    DeviceRequest::LIST,
    DeviceFlag::LIST,
    SliceEntry::LIST,
    SliceState::LIST,
    DeathCause::LIST,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::string::String;
    use std::vec::Vec;

    /// Returns the names of all enums that `numbered!` makes in this crate, except those of its own tests.
    fn made_in_this_crate() -> Vec<String> {
        let sources = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
        let mut names = Vec::new();
        for source in sources {
            let path = source.unwrap().path();
            if path.is_dir() || path.ends_with("numbered.rs") {
                continue;
            }
            let text = fs::read_to_string(path).unwrap();
            for made in text.split("\nnumbered! {\n").skip(1) {
                let (_, name) = made.split_once("pub enum ").unwrap();
                names.push(name.split_whitespace().next().unwrap().into());
            }
        }
        names.sort_unstable();
        names
    }

    #[test]
    fn no_list_is_forgotten() {
        let mut names = LISTS.map(|list| list.name);
        names.sort_unstable();
        assert_eq!(made_in_this_crate(), names);
    }

    #[test]
    fn names_are_for_programs_and_meanings_go_on_in_a_sentence() {
        for list in LISTS {
            for (index, entry) in list.entries.iter().enumerate() {
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                assert!(entry.name.chars().all(is_plain), "{entry:?}");
                let before = &list.entries[..index];
                assert!(
                    before.iter().all(|other| other.name != entry.name),
                    "{entry:?} twice"
                );
                let first = entry.text.chars().next().unwrap();
                let is_sentence = first.is_ascii_uppercase() || entry.text.ends_with('.');
                assert!(!is_sentence && !entry.text.contains('|'), "{entry:?}");
            }
        }
    }
}
