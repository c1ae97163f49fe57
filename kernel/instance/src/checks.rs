//! Machine checks of a primary's cores.

use arch::cpu;
use arch::machine_check::{self, Notes, Verdict};
use arch::traps::TrapFrame;
use sharedmem::event::{Hex, MachineCheck};

use crate::death;

/// Reports that are not logged yet. The lead logs those of all cores.
static NOTES: Notes = Notes::new();

/// Between two looks for errors that were corrected, in ticks.
const LOOK_TICKS: u64 = 1024;

/// Handles a machine check: this kernel dies of it, or its core goes on.
pub fn handle(frame: &TrapFrame) {
    if let Err(report) = machine_check::handle(cpu::core_number() as u32, &NOTES) {
        death::by_machine_check(frame, &report);
    }
}

/// Looks now and then for errors of the core that runs which were corrected. For the timer's handler.
pub fn look(ticks: u64) {
    if ticks.is_multiple_of(LOOK_TICKS) {
        machine_check::look(cpu::core_number() as u32, &NOTES);
    }
}

/// Logs what was noted.
pub fn report() {
    while let Some((noted, lost)) = NOTES.take() {
        let report = noted.report;
        let check = MachineCheck {
            core: noted.core,
            bank: report.bank,
            status: Hex(report.status),
            address: Hex(report.address),
            misc: Hex(report.more),
            survived: noted.verdict == Verdict::GoOn,
            lost,
        };
        log::error!("{check}");
    }
}
