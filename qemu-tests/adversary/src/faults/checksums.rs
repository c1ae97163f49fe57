//! A bit of the tables by which checksums are computed.

use std::ops;

use partition::Range;

use super::Fault;
use super::Outcome::{Alarm, BackupLostAndRearmed, Harmless, ResetStateBack, TakenOver};
use super::values::{MEMORY_BYTES, memory, occurrences};
use harness::debugger::{Debugger, Space};
use harness::machine::QemuMachine;
use harness::problem::Problem;
use sharedmem::event::BackupMemory;

/// A CPU that does not compute CRC-32C itself, so that all checksums of the journal need the tables.
const CPU: &str = "max,-sse4.2";
/// The monitor lies below this address (`docs/ARCHITECTURE.md`).
const MONITOR_END: u64 = 6 << 20;
/// The second and third entry of the first table (RFC 3720, appendix B.4: the polynomial 0x82f63b78). They are the
/// remainders of the bytes 1 and 2.
const ENTRIES: [u32; 2] = [0xf26b_8303, 0xe13b_70f7];

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "crc-table-of-primary",
            "a bit flips in the primary's table of checksums: it writes records that nobody else believes",
            &[BackupLostAndRearmed, TakenOver, ResetStateBack, Alarm],
            |machine| flip(machine, |at, backup| at >= MONITOR_END && !backup.contains(&at)),
        )
        .on_cpu(CPU),
        Fault::new(
            "crc-table-of-backup",
            "a bit flips in the waiting backup's table of checksums: it believes no record",
            &[BackupLostAndRearmed, TakenOver],
            |machine| flip(machine, |at, backup| backup.contains(&at)),
        )
        .on_cpu(CPU),
        Fault::new(
            "crc-table-of-monitor",
            "a bit flips in the monitor's table of checksums: it takes images for damaged",
            &[Harmless, BackupLostAndRearmed, TakenOver, ResetStateBack, Alarm],
            |machine| flip(machine, |at, _| at < MONITOR_END),
        ),
    ]
}

/// Flips a bit of every table that is at a wanted place.
fn flip(
    machine: &QemuMachine,
    is_wanted: fn(u64, &ops::Range<u64>) -> bool,
) -> Result<(), Problem> {
    let backup = machine.wait_event::<BackupMemory>()?.range;
    let backup = backup.start..backup.end;
    let mut debugger = Debugger::attach(machine)?;
    let memory = memory(&mut debugger, Range::new(0, MEMORY_BYTES))?;
    let table = ENTRIES.map(u32::to_le_bytes).concat();
    let places = occurrences(&memory, &table);
    let places: Vec<u64> = places
        .into_iter()
        .filter(|at| is_wanted(*at, &backup))
        .collect();
    if places.is_empty() {
        return Err(Problem::BrokenSetUp("there is no such table".into()));
    }
    places
        .iter()
        .try_for_each(|at| debugger.flip(Space::Physical, *at, 7))
}
