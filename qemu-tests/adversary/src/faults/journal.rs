//! Kinds 1 and 3: records that the primary has applied and the backup has not read, and the cursor `reserved`.

use std::time::{Duration, Instant};

use journal::{HEADER_BYTES, record_bytes};
use sharedmem::record::RecordKind;

use super::Fault;
use super::Outcome::{Alarm, BackupLostAndRearmed, ResetStateBack, TakenOver};
use debugger::{Debugger, Region, Space};
use harness::machine::QemuMachine;
use harness::problem::Problem;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "record-flipped",
            "a bit flips in a record of input that the primary has applied and the backup has not read",
            &[BackupLostAndRearmed, TakenOver],
            |machine| flip_unread(machine, RecordKind::Input),
        ),
        Fault::new(
            "fact-flipped",
            "a bit flips in a fact about a connection that the backup has not read",
            &[BackupLostAndRearmed, TakenOver],
            |machine| flip_unread(machine, RecordKind::Connection),
        ),
        Fault::new(
            "reserved-lowered",
            "the cursor `reserved` is lowered by the size of a small record",
            &[BackupLostAndRearmed, TakenOver, ResetStateBack, Alarm],
            |machine| change_reserved(machine, |reserved| reserved - 72),
        ),
        Fault::new(
            "torn-tail",
            "room is reserved in the journal and never published",
            &[BackupLostAndRearmed, TakenOver, ResetStateBack],
            |machine| change_reserved(machine, |reserved| reserved + 72),
        ),
        Fault::new(
            "reserved-misaligned",
            "the cursor `reserved` has a value that no record can have",
            &[BackupLostAndRearmed, TakenOver, ResetStateBack],
            |machine| change_reserved(machine, |reserved| reserved + 4),
        ),
    ]
}

/// The primary's CPUs; the seat is CPU 0.
const PRIMARY: [usize; 2] = [1, 2];
/// The seat stands still for this time, which is below every time-out. The backup reads on the seat.
const AHEAD: Duration = Duration::from_millis(20);
/// A record of each kind comes within this time.
const LIMIT: Duration = Duration::from_secs(30);

fn change_reserved(machine: &QemuMachine, change: fn(u64) -> u64) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let reserved = region.cursors(&mut debugger)?.reserved;
    region.set(&mut debugger, Region::RESERVED, change(reserved))
}

/// Lets the primary alone go on until a record of `kind` waits for the backup, and flips a bit of its payload.
fn flip_unread(machine: &QemuMachine, kind: RecordKind) -> Result<(), Problem> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let mut debugger = Debugger::attach(machine)?;
        let region = Region::find(&mut debugger)?;
        debugger.run_only(&PRIMARY, AHEAD)?;
        if let Some(position) = unread(&mut debugger, &region, kind)? {
            return debugger.flip(Space::Physical, region.place(position + HEADER_BYTES), 3);
        }
    }
    Err(Problem::TimedOut(format!(
        "no {kind:?} record waits for the backup"
    )))
}

/// Returns the position of the last record of `kind` that the primary has applied and the backup has not read. The
/// backup may be amid the first.
fn unread(
    debugger: &mut Debugger,
    region: &Region,
    kind: RecordKind,
) -> Result<Option<u64>, Problem> {
    let cursors = region.cursors(debugger)?;
    let (mut position, mut last) = (cursors.consumed, None);
    while position < cursors.applied {
        let length = debugger.word(Space::Physical, region.place(position + 8))? as u32;
        let found = debugger.word(Space::Physical, region.place(position + 16))? >> 48;
        if found == kind.number() && position != cursors.consumed {
            last = Some(position);
        }
        position += record_bytes(length);
    }
    Ok(last)
}
