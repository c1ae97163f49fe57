//! The constants, in groups.

use crossbeam_utils::CachePadded;
use memoffset::offset_of;
use sharedmem::control::{CONTROL_MAGIC, Control, JournalCursors};
use sharedmem::epitaph::{Epitaph, EpitaphCause};
use sharedmem::linux::{LinuxDesk, ParkState, TABLE_SIGNATURE};
use sharedmem::log_ring::{LOG_BYTES, LogRing};
use sharedmem::protection::ProtectionState;
use sharedmem::timeline::{TIMELINES, Timeline};
use sharedmem::{Instance, abi};
use takeover::Edge;

/// A title and the constants under it: name and value.
type Group = (&'static str, Vec<(&'static str, String)>);

/// All of them.
pub fn groups() -> Vec<Group> {
    vec![
        ("Revisions", revisions()),
        ("Sizes", sizes()),
        ("Offsets in the control block", offsets()),
        ("Vectors", vectors()),
        ("Protection word", protection()),
        ("State of an epitaph, and causes", epitaph()),
        ("State of a desk", desk()),
        ("Edges of a timeline", edges()),
        ("Journal", journal()),
    ]
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
        ("TABLE_SIGNATURE", format!("\"{signature}\"")),
    ]
}

fn sizes() -> Vec<(&'static str, String)> {
    vec![
        ("MAX_CORES", number(abi::MAX_CORES)),
        ("MAX_INSTANCES", number(Instance::COUNT)),
        ("CONTROL_BYTES", hex(abi::CONTROL_BYTES as u64)),
        ("LOG_BYTES", number(LOG_BYTES)),
        ("TIMELINES", number(TIMELINES)),
        ("EPITAPH_STRIDE", number(size_of::<CachePadded<Epitaph>>())),
        ("LOG_STRIDE", number(size_of::<CachePadded<LogRing>>())),
        ("DESK_STRIDE", number(size_of::<CachePadded<LinuxDesk>>())),
        ("TIMELINE_STRIDE", number(size_of::<Timeline>())),
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
        ("AT_CONSOLE_OWNER", offset_of!(Control, console_owner)),
        ("AT_EPITAPHS", offset_of!(Control, epitaphs)),
        ("AT_TIMELINES", offset_of!(Control, timelines)),
        ("AT_INSTANCE_LOGS", offset_of!(Control, instance_logs)),
        ("AT_DESKS", offset_of!(Control, linux)),
    ]
    .map(|(name, offset)| (name, hex(offset as u64)))
    .to_vec()
}

fn vectors() -> Vec<(&'static str, String)> {
    [
        ("VECTOR_KEEPALIVE", abi::VECTOR_KEEPALIVE_TO_SEAT),
        ("VECTOR_EPITAPH", abi::VECTOR_EPITAPH),
    ]
    .map(|(name, vector)| (name, hex(vector.into())))
    .to_vec()
}

fn protection() -> Vec<(&'static str, String)> {
    vec![("PROTECTION_ARMED", hex(ProtectionState::Armed as u64))]
}

fn epitaph() -> Vec<(&'static str, String)> {
    [
        ("EPITAPH_EMPTY", sharedmem::epitaph::EMPTY),
        ("EPITAPH_WRITING", sharedmem::epitaph::WRITING),
        ("EPITAPH_WHOLE", sharedmem::epitaph::WHOLE),
        ("CAUSE_PANIC", EpitaphCause::Panic as u64),
        ("CAUSE_SUPERSEDED", EpitaphCause::Superseded as u64),
        ("CAUSE_REBOOT", EpitaphCause::Reboot as u64),
        ("CAUSE_SWITCHOVER", EpitaphCause::Switchover as u64),
        ("CAUSE_APPLICATION", EpitaphCause::Application as u64),
    ]
    .map(|(name, value)| (name, value.to_string()))
    .to_vec()
}

fn desk() -> Vec<(&'static str, String)> {
    [
        ("DESK_RUNNING", ParkState::Running),
        ("DESK_PARKED", ParkState::Parked),
        ("DESK_RESUMED", ParkState::Resumed),
    ]
    .map(|(name, state)| (name, (state as u64).to_string()))
    .to_vec()
}

fn edges() -> Vec<(&'static str, String)> {
    [
        ("EDGE_DEVICES_ADOPTED", Edge::DevicesAdopted),
        ("EDGE_RESUMED", Edge::Resumed),
    ]
    .map(|(name, edge)| (name, number(edge.index())))
    .to_vec()
}

fn journal() -> Vec<(&'static str, String)> {
    vec![
        ("RECORD_HEADER_BYTES", journal::HEADER_BYTES.to_string()),
        (
            "RECORD_KIND_APPLICATION",
            abi::RECORD_KIND_APPLICATION.to_string(),
        ),
        ("EPOCH_MAX", format!("{:#x}ULL", journal::EPOCH_MAX)),
    ]
}
