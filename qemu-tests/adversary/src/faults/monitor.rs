//! Kind 4: the monitor is damaged, and then the primary dies.

use super::Fault;
use super::Outcome::{Alarm, Harmless, ResetStateBack, TakenOver};
use debugger::{Debugger, Space, Symbols};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// `ud2`, which no CPU executes.
const INVALID: [u8; 2] = [0x0f, 0x0b];

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "monitor-text",
            "the monitor's main loop has an invalid instruction; then the primary dies",
            &[ResetStateBack],
            |machine| overwrite(machine, &["Supervisor$LT$P$GT$", "round"], &INVALID),
        ),
        Fault::new(
            "monitor-tables",
            "the monitor's descriptor tables are zeros; then the primary dies",
            &[ResetStateBack],
            |machine| clear(machine, &["SEAT_TABLES"]),
        ),
        Fault::new(
            "monitor-heap",
            "the list of the monitor's free memory is overwritten; then the primary dies",
            &[ResetStateBack, TakenOver, Harmless, Alarm],
            |machine| overwrite(machine, &["HEAP"], &[0xff; 16]),
        ),
    ]
}

fn clear(machine: &QemuMachine, symbol: &[&str]) -> Result<(), Problem> {
    let symbol = Symbols::of_monitor()?.find(symbol)?;
    let bytes = vec![0; usize::try_from(symbol.size_bytes).unwrap_or(0)];
    Debugger::attach(machine)?.write(Space::Physical, symbol.address, &bytes)
}

/// Writes at the symbol's address: the monitor is mapped where it lies.
fn overwrite(machine: &QemuMachine, symbol: &[&str], bytes: &[u8]) -> Result<(), Problem> {
    let symbol = Symbols::of_monitor()?.find(symbol)?;
    Debugger::attach(machine)?.write(Space::Physical, symbol.address, bytes)
}
