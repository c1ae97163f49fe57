//! Kind 4: text and tables that nobody may change are damaged where nobody executes them at the time.

use std::mem::offset_of;

use sharedmem::abi::IMAGE_BASE;
use sharedmem::event::BackupMemory;
use sharedmem::hand_off::HandOff;

use super::Fault;
use super::Outcome::{BackupLostAndRearmed, Harmless, ResetStateBack};
use debugger::{Debugger, Space, Symbols};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// A page, in bytes.
const PAGE_BYTES: u64 = 4096;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "monitor-boot-text",
            "a bit flips in text of the monitor that does not run any more; then the primary dies",
            &[ResetStateBack],
            |machine| monitor(machine, &["boot", "place_start_page"]),
        ),
        Fault::new(
            "monitor-interrupt-table",
            "a bit flips in an entry of the monitor's interrupt table that is not used; then the primary dies",
            &[ResetStateBack],
            |machine| monitor(machine, &["traps", "TABLE"]),
        ),
        Fault::new(
            "backup-text",
            "a bit flips in text of the waiting backup that only a primary runs",
            &[BackupLostAndRearmed],
            backup_text,
        ),
        Fault::new(
            "backup-page-table",
            "a bit flips in the waiting backup's top page table",
            &[BackupLostAndRearmed],
            backup_table,
        ),
        Fault::new(
            "backup-interrupts-off",
            "the waiting backup switches interrupts off and spins when it is called",
            &[BackupLostAndRearmed],
            backup_spins,
        ),
        Fault::new(
            "start-page",
            "the page in which other cores start is overwritten; then the primary dies",
            &[Harmless],
            start_page,
        ),
    ]
}

fn monitor(machine: &QemuMachine, symbol: &[&str]) -> Result<(), Problem> {
    let symbol = Symbols::of_monitor()?.find(symbol)?;
    // The last byte of an interrupt table is of no entry that anybody uses.
    let at = symbol.address + symbol.size_bytes - 1;
    Debugger::attach(machine)?.flip(Space::Physical, at, 1)
}

/// Returns where the first backup's slice begins: with its hand-off, behind which its image is.
fn slice(machine: &QemuMachine) -> Result<u64, Problem> {
    let ranges = machine.console().events::<BackupMemory>();
    let first = ranges.first().map(|it| it.range.start);
    first.ok_or_else(|| Problem::BrokenSetUp("the console does not say where the backup is".into()))
}

/// Returns where a function of the waiting backup is.
fn in_backup(machine: &QemuMachine, function: &[&str]) -> Result<u64, Problem> {
    let function = Symbols::of_instance()?.find(function)?;
    let image = slice(machine)? + (size_of::<HandOff>() as u64).next_multiple_of(PAGE_BYTES);
    Ok(image + function.address - IMAGE_BASE)
}

fn backup_text(machine: &QemuMachine) -> Result<(), Problem> {
    let at = in_backup(machine, &["Gate", "release"])?;
    Debugger::attach(machine)?.flip(Space::Physical, at, 1)
}

fn backup_spins(machine: &QemuMachine) -> Result<(), Problem> {
    /// `cli`, and a jump to itself.
    const SPIN: [u8; 3] = [0xfa, 0xeb, 0xfe];
    let at = in_backup(machine, &["ReplicaState", "apply_fact"])?;
    Debugger::attach(machine)?.write(Space::Physical, at, &SPIN)
}

fn start_page(machine: &QemuMachine) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let place = Symbols::of_monitor()?.find(&["start_page", "ADDRESS"])?;
    let page = debugger.word(Space::Physical, place.address)?;
    debugger.write(Space::Physical, page, &[0xff; 512])
}

fn backup_table(machine: &QemuMachine) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let place = slice(machine)? + offset_of!(HandOff, page_table) as u64;
    let table = debugger.word(Space::Physical, place)?;
    // An entry that maps nothing yet.
    debugger.flip(Space::Physical, table + 8 * 300, 0)
}
