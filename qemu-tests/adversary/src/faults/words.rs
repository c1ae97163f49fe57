//! Kind 5: words of the control block whose truth somebody knows.

use super::Fault;
use super::Outcome;
use super::Outcome::{BackupLostAndRearmed, Harmless, ResetStateBack, TakenOver};
use harness::debugger::{Debugger, Region};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// A word of the control block is overwritten: mended, or the safe way out.
const RIGHT: &[Outcome] = &[Harmless, BackupLostAndRearmed, TakenOver, ResetStateBack];

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "header-magic",
            doc: "the region's magic number is 0",
            expected: RIGHT,
            strike: |machine| set(machine, Region::MAGIC, |_| 0),
        },
        Fault {
            name: "header-revisions",
            doc: "the region's revisions are those of another kernel",
            expected: RIGHT,
            strike: |machine| set(machine, Region::REVISIONS, |word| word ^ 1),
        },
        Fault {
            name: "header-size",
            doc: "the region's size is twice what it is",
            expected: RIGHT,
            strike: |machine| set(machine, Region::SIZE, |word| word * 2),
        },
        Fault {
            name: "retained-above",
            doc: "the cursor `retained` is above `reserved`",
            expected: RIGHT,
            strike: |machine| set(machine, Region::RETAINED, |_| 1 << 40),
        },
        Fault {
            name: "applied-raised",
            doc: "the cursor `applied` is beyond what was ever reserved",
            expected: RIGHT,
            strike: |machine| set(machine, Region::APPLIED, |word| word + (1 << 20)),
        },
        Fault {
            name: "consumed-raised",
            doc: "the cursor `consumed` is beyond what was ever reserved",
            expected: RIGHT,
            strike: |machine| set(machine, Region::CONSUMED, |word| word + (1 << 20)),
        },
        Fault {
            name: "consumed-lowered",
            doc: "the cursor `consumed` is 0, so that the journal seems full",
            expected: RIGHT,
            strike: |machine| set(machine, Region::CONSUMED, |_| 0),
        },
        Fault {
            name: "suspect-invented",
            doc: "the word that names a record in which primaries died names one",
            expected: RIGHT,
            strike: |machine| set(machine, Region::SUSPECT, |_| 64 | 2),
        },
        Fault {
            name: "protection-word",
            doc: "the protection word is 0x77, which is none of its states",
            expected: RIGHT,
            strike: |machine| set(machine, Region::PROTECTION, |_| 0x77),
        },
    ]
}

fn set(machine: &QemuMachine, offset: u64, change: fn(u64) -> u64) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let region = Region::find(&mut debugger)?;
    let word = region.word(&mut debugger, offset)?;
    region.set(&mut debugger, offset, change(word))
}
