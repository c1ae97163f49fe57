//! A bit of the table by which the monitor computes checksums. The instances have none (`sharedmem::crc32c`).

use partition::Range;

use super::Fault;
use super::Outcome::{Alarm, BackupLostAndRearmed, Harmless, ResetStateBack, TakenOver};
use super::values::{memory, occurrences};
use debugger::{Debugger, Space};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// The monitor lies below this address (`docs/ARCHITECTURE.md`).
const MONITOR_END: u64 = 6 << 20;
/// The second and third entry of the table (RFC 3720, appendix B.4: the polynomial 0x82f63b78). They are the
/// remainders of the bytes 1 and 2.
const ENTRIES: [u32; 2] = [0xf26b_8303, 0xe13b_70f7];

pub(super) fn faults() -> Vec<Fault> {
    vec![Fault::new(
        "crc-table-of-monitor",
        "a bit flips in the monitor's table of checksums: it takes images for damaged",
        &[
            Harmless,
            BackupLostAndRearmed,
            TakenOver,
            ResetStateBack,
            Alarm,
        ],
        flip,
    )]
}

/// Flips a bit of every such table.
fn flip(machine: &QemuMachine) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let memory = memory(&mut debugger, Range::new(0, MONITOR_END))?;
    let places = occurrences(&memory, &ENTRIES.map(u32::to_le_bytes).concat());
    if places.is_empty() {
        return Err(Problem::BrokenSetUp("there is no such table".into()));
    }
    places
        .iter()
        .try_for_each(|at| debugger.flip(Space::Physical, *at, 7))
}
