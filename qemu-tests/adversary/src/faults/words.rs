//! Kind 5: words of the control block whose truth somebody knows.

use super::Fault;
use super::Outcome;
use super::Outcome::{BackupLostAndRearmed, Harmless, ResetStateBack, TakenOver};
use debugger::{Debugger, Region};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// A word of the control block is overwritten: mended, or the safe way out.
const RIGHT: &[Outcome] = &[Harmless, BackupLostAndRearmed, TakenOver, ResetStateBack];

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "header-magic",
            "the region's magic number is 0",
            RIGHT,
            |machine| set(machine, Region::MAGIC, |_| 0),
        ),
        Fault::new(
            "header-revisions",
            "the region's revisions are those of another kernel",
            RIGHT,
            |machine| set(machine, Region::REVISIONS, |word| word ^ 1),
        ),
        Fault::new(
            "header-size",
            "the region's size is twice what it is",
            RIGHT,
            |machine| set(machine, Region::SIZE, |word| word * 2),
        ),
        Fault::new(
            "retained-above",
            "the cursor `retained` is above `reserved`",
            RIGHT,
            |machine| set(machine, Region::RETAINED, |_| 1 << 40),
        ),
        Fault::new(
            "applied-raised",
            "the cursor `applied` is beyond what was ever reserved",
            RIGHT,
            |machine| set(machine, Region::APPLIED, |word| word + (1 << 20)),
        ),
        Fault::new(
            "consumed-raised",
            "the cursor `consumed` is beyond what was ever reserved",
            RIGHT,
            |machine| set(machine, Region::CONSUMED, |word| word + (1 << 20)),
        ),
        Fault::new(
            "consumed-lowered",
            "the cursor `consumed` is 0, so that the journal seems full",
            RIGHT,
            |machine| set(machine, Region::CONSUMED, |_| 0),
        ),
        Fault::new(
            "suspect-invented",
            "the word that names a record in which primaries died names one",
            RIGHT,
            |machine| set(machine, Region::SUSPECT, |_| 64 | 2),
        ),
        Fault::new(
            "protection-word",
            "the protection word is 0x77, which is none of its states",
            RIGHT,
            |machine| set(machine, Region::PROTECTION, |_| 0x77),
        ),
    ]
}

fn set(machine: &QemuMachine, offset: u64, change: fn(u64) -> u64) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let word = region.word(&mut debugger, offset)?;
    region.set(&mut debugger, offset, change(word))
}
