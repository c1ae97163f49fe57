//! Kind 6: a byte of a value, in the memory of one of the two kernels.

use std::fs;
use std::time::Duration;

use partition::Range;
use sharedmem::event::BackupMemory;

use super::Fault;
use super::Outcome::{Alarm, BackupLostAndRearmed, TakenOver};
use crate::scene::probe_value;
use debugger::{Debugger, Region, Space};
use harness::machine::QemuMachine;
use harness::paths;
use harness::problem::Problem;
use sharedmem::abi::CONTROL_BYTES;

/// The machine's memory: as much as the usual machine has.
const MEMORY_BYTES: u64 = 512 << 20;

/// A pass of the scrub over the keys of these machines takes some seconds under translation, and the writing clients
/// make it longer.
const PASS: Duration = Duration::from_secs(12);

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "value-of-primary",
            "a byte of a value changes in the primary's memory",
            &[BackupLostAndRearmed, TakenOver, Alarm],
            |machine| change_value(machine, false),
        )
        .watched_for(PASS),
        Fault::new(
            "value-of-backup",
            "a byte of a value changes in the backup's memory",
            &[BackupLostAndRearmed, Alarm],
            |machine| change_value(machine, true),
        )
        .watched_for(PASS),
    ]
}

/// Changes a byte of every copy of the probe's value that the kernel has. Other copies are in the journal.
fn change_value(machine: &QemuMachine, is_of_backup: bool) -> Result<(), Problem> {
    let backup = machine.wait_event::<BackupMemory>()?.range;
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let memory = memory(&mut debugger, Range::new(0, MEMORY_BYTES))?;
    let shared = region.start..region.start + CONTROL_BYTES as u64 + region.journal_bytes;
    let value = probe_value();
    let places = occurrences(&memory, value.as_bytes());
    let is_wanted = |at: &u64| {
        let is_in_backup = (backup.start..backup.end).contains(at);
        is_in_backup == is_of_backup && !shared.contains(at)
    };
    let places: Vec<u64> = places.into_iter().filter(is_wanted).collect();
    if places.is_empty() {
        return Err(Problem::Failed("the value is nowhere in memory".into()));
    }
    places
        .iter()
        .try_for_each(|at| debugger.flip(Space::Physical, at + 100, 0))
}

/// Reads much memory at once.
pub fn memory(debugger: &mut Debugger, range: Range) -> Result<Vec<u8>, Problem> {
    let file = paths::scratch("fault-values").join("memory");
    harness::files::write(&file, b"")?;
    debugger.save_memory(range, &file)?;
    let memory = harness::files::read(&file)?;
    fs::remove_file(&file).map_err(|error| Problem::of_host("memory image", error))?;
    Ok(memory)
}

/// Returns where `wanted` is in `memory`. It does not overlap itself.
pub fn occurrences(memory: &[u8], wanted: &[u8]) -> Vec<u64> {
    // Values are aligned to nothing, but two different bytes decide quickly.
    let [first, second] = [wanted[0], wanted[1]];
    let mut found = Vec::new();
    let mut at = 0;
    while at + wanted.len() <= memory.len() {
        if memory[at] == first && memory[at + 1] == second && memory[at..].starts_with(wanted) {
            found.push(at as u64);
            at += wanted.len();
        } else {
            at += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_is_found_where_it_is() {
        assert_eq!(occurrences(b"abcabxabc", b"abc"), [0, 6]);
        assert!(occurrences(b"ab", b"abc").is_empty());
    }
}
