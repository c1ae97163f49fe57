//! The constants of the header, in groups.

use crossbeam_utils::CachePadded;
use memoffset::offset_of;
use sharedmem::condemned::{CONDEMNED_TAG, Condemned};
use sharedmem::contract::LISTS;
use sharedmem::control::{CONTROL_MAGIC, Control, JournalCursors};
use sharedmem::epitaph::Epitaph;
use sharedmem::linux::TABLE_SIGNATURE;
use sharedmem::log_ring::{LOG_BYTES, LogRing};
use sharedmem::numbered::{Entry, List};
use sharedmem::resume_slot::ResumeSlot;
use sharedmem::timeline::{TIMELINES, Timeline};
use sharedmem::{Instance, abi};

use crate::snake;

/// A constant: its name without the prefix, its value, and its meaning, which is empty if the name says it.
pub struct Constant {
    pub name: String,
    pub value: String,
    pub meaning: &'static str,
}

/// A title and the constants under it.
pub type Group = (&'static str, Vec<Constant>);

/// Returns all groups: those of this file, then one for each list of the contract.
pub fn groups() -> Vec<Group> {
    let own = [
        ("Revisions", revisions()),
        ("Sizes", sizes()),
        ("Offsets in the control block", offsets()),
        ("Journal", journal()),
    ];
    let own = own.map(|(title, constants)| (title, constants.into_iter().map(plain).collect()));
    let lists = LISTS.iter().map(|list| (list.name, of_list(list)));
    own.into_iter().chain(lists).collect()
}

fn plain((name, value): (&'static str, String)) -> Constant {
    Constant {
        name: name.into(),
        value,
        meaning: "",
    }
}

fn of_list(list: &List) -> Vec<Constant> {
    let prefix = screaming(list.name);
    let constant = |entry: &Entry| Constant {
        name: format!("{prefix}_{}", screaming(entry.variant)),
        value: match u32::try_from(entry.number) {
            Ok(number) => number.to_string(),
            Err(_) => format!("{:#x}ULL", entry.number),
        },
        meaning: entry.text,
    };
    list.entries.iter().map(constant).collect()
}

/// Turns `EpitaphCause` into `EPITAPH_CAUSE`.
fn screaming(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

fn number(value: usize) -> String {
    format!("{value}")
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

fn revisions() -> Vec<(&'static str, String)> {
    let signature = String::from_utf8_lossy(&TABLE_SIGNATURE).into_owned();
    vec![
        ("ABI_REVISION", abi::ABI_REVISION.to_string()),
        ("JOURNAL_REVISION", abi::JOURNAL_REVISION.to_string()),
        ("CONTROL_MAGIC", format!("{CONTROL_MAGIC:#x}ULL")),
        ("CONDEMNED_TAG", format!("{CONDEMNED_TAG:#x}ULL")),
        ("TABLE_SIGNATURE", format!("\"{signature}\"")),
    ]
}

fn sizes() -> Vec<(&'static str, String)> {
    vec![
        ("MAX_CORES", number(abi::MAX_CORES)),
        (
            "LINUX_FUNCTIONS_MAX",
            number(sharedmem::linux::LINUX_FUNCTIONS_MAX),
        ),
        ("INSTANCES", number(Instance::COUNT)),
        ("CONTROL_BYTES", hex(abi::CONTROL_BYTES as u64)),
        ("LOG_BYTES", number(LOG_BYTES)),
        ("TIMELINES", number(TIMELINES)),
        ("EPITAPH_STRIDE", number(size_of::<CachePadded<Epitaph>>())),
        ("LOG_STRIDE", number(size_of::<CachePadded<LogRing>>())),
        (
            "RESUME_SLOT_STRIDE",
            number(size_of::<CachePadded<ResumeSlot>>()),
        ),
        ("TIMELINE_STRIDE", number(size_of::<Timeline>())),
        (
            "CONDEMNED_STRIDE",
            number(size_of::<CachePadded<Condemned>>()),
        ),
    ]
}

fn offsets() -> Vec<(&'static str, String)> {
    let journal = offset_of!(Control, journal);
    [
        ("AT_HEADER", offset_of!(Control, header)),
        ("AT_EPOCH", offset_of!(Control, epoch)),
        ("AT_PROTECTION", offset_of!(Control, protection)),
        (
            "AT_PRIMARY_KEEPALIVE",
            offset_of!(Control, primary_keepalive),
        ),
        (
            "AT_JOURNAL_RESERVED",
            journal + offset_of!(JournalCursors, reserved),
        ),
        (
            "AT_JOURNAL_APPLIED",
            journal + offset_of!(JournalCursors, applied),
        ),
        (
            "AT_JOURNAL_CONSUMED",
            journal + offset_of!(JournalCursors, consumed),
        ),
        ("AT_CONSOLE", offset_of!(Control, console)),
        ("AT_EPITAPHS", offset_of!(Control, epitaphs)),
        ("AT_TIMELINES", offset_of!(Control, timelines)),
        ("AT_INSTANCE_LOGS", offset_of!(Control, instance_logs)),
        ("AT_RESUME_SLOTS", offset_of!(Control, resume_slots)),
        ("AT_WITHHELD", offset_of!(Control, withheld)),
        ("AT_CONDEMNED", offset_of!(Control, condemned)),
    ]
    .map(|(name, offset)| (name, hex(offset as u64)))
    .to_vec()
}

fn journal() -> Vec<(&'static str, String)> {
    vec![
        ("RECORD_HEADER_BYTES", journal::HEADER_BYTES.to_string()),
        ("EPOCH_MAX", format!("{:#x}ULL", journal::EPOCH_MAX)),
    ]
}
