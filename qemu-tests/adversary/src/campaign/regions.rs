//! Memory of others than the primary: the shared region, the waiting backup, the monitor; and DMA that goes astray.

use std::mem::offset_of;

use partition::Range;
use sharedmem::abi::CONTROL_BYTES;
use sharedmem::control::Control;

use debugger::{Debugger, Region, Space, SymbolKind, Symbols};
use harness::machine::QemuMachine;
use harness::problem::Problem;
use harness::random::Random;

use super::victim::{draw_in, draw_used, flip, memory_of_backup, memory_of_primary};
use super::{Class, Target};

/// A frame that goes astray has so many bytes.
const FRAME_BYTES: std::ops::RangeInclusive<u64> = 64..=1514;
/// The log rings are most of the control block, and text.
const LOGS: std::ops::Range<u64> =
    offset_of!(Control, monitor_log) as u64..offset_of!(Control, resume_slots) as u64;
/// The last bytes that were committed; where the backup has read all, these are damaged.
const TAIL_BYTES: u64 = 4096;

pub(super) fn classes() -> Vec<Class> {
    vec![
        Class::new(
            Target::Shared,
            "control-block",
            "a bit of a word of the control block: keepalive, epoch, protection, cursors, epitaph, \
               timeline, mailbox",
            control_block,
        ),
        Class::new(
            Target::Shared,
            "journal",
            "a bit of a record, if there is one of those that the backup has not read",
            journal,
        ),
        Class::new(
            Target::Others,
            "backup",
            "a bit of the waiting backup's memory in use",
            backup,
        ),
        Class::new(
            Target::Others,
            "monitor",
            "a bit of the monitor's text or data",
            monitor,
        ),
        Class::new(
            Target::Shared,
            "wild-dma",
            "a frame is written to a place drawn from the memory of all",
            wild_dma,
        ),
    ]
}

fn control_block(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let words = (LOGS.start + CONTROL_BYTES as u64 - LOGS.end) / 8;
    let offset = match random.below(words) * 8 {
        offset if offset < LOGS.start => offset,
        offset => offset - LOGS.start + LOGS.end,
    };
    let bit = random.below(64);
    let word = region.word(&mut debugger, offset)?;
    region.set(&mut debugger, offset, word ^ 1 << bit)?;
    Ok(format!(
        "bit {bit} of the word at {offset:#x} of the control block"
    ))
}

fn journal(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let cursors = region.cursors(&mut debugger)?;
    let unread = cursors.applied.saturating_sub(cursors.consumed);
    let (from, bytes) = match unread {
        0 => (
            cursors.applied.saturating_sub(TAIL_BYTES),
            TAIL_BYTES.min(cursors.applied),
        ),
        unread => (cursors.consumed, unread),
    };
    let position = from + random.below(bytes.max(1));
    let place = region.place(position);
    let hit = flip(&mut debugger, random, Space::Physical, place)?;
    Ok(format!(
        "record at position {position}, {unread} bytes unread: {hit}"
    ))
}

fn backup(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let memory = memory_of_backup(machine);
    let mut debugger = Debugger::attach(machine)?;
    let address = draw_used(&mut debugger, random, &memory)?;
    flip(&mut debugger, random, Space::Physical, address)
}

fn monitor(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let kind = match random.below(2) {
        0 => SymbolKind::Function,
        _ => SymbolKind::Static,
    };
    let (symbol, offset) = Symbols::of_monitor()?.byte(kind, random.number())?;
    let mut debugger = Debugger::attach(machine)?;
    // The monitor is mapped where it lies.
    let hit = flip(
        &mut debugger,
        random,
        Space::Physical,
        symbol.address + offset,
    )?;
    Ok(format!("{}+{offset:#x}: {hit}", symbol.path()))
}

fn wild_dma(machine: &QemuMachine, random: &mut Random) -> Result<String, Problem> {
    let backup = memory_of_backup(machine);
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let control = Range::new(region.start, region.start + CONTROL_BYTES as u64);
    let journal = Range::new(control.end, control.end + region.journal_bytes);
    let (whose, address) = match random.below(4) {
        0 => ("the primary", {
            let memory = memory_of_primary(&mut debugger)?;
            draw_used(&mut debugger, random, &memory)?
        }),
        1 => ("the backup", draw_used(&mut debugger, random, &backup)?),
        2 => ("the control block", draw_in(random, &[control])?),
        _ => ("the journal", draw_used(&mut debugger, random, &[journal])?),
    };
    let bytes = FRAME_BYTES.start() + random.below(FRAME_BYTES.end() - FRAME_BYTES.start() + 1);
    let frame = random.bytes(bytes);
    debugger.write(Space::Physical, address, &frame)?;
    Ok(format!("{bytes} bytes at {address:#x}, memory of {whose}"))
}
