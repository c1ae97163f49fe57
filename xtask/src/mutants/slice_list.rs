//! Deliberate bugs of compute slices; see [`HOST_MUTANTS`](super::host_list::HOST_MUTANTS).

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const SLICE_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "compute --test death",
        mutant: Mutant {
            name: "commit-alone",
            what: "a rank commits a step that the others have not written yet",
            file: "compute/src/job.rs",
            right: "        self.rank.meet(Collective::Commit(step), &[], |_| ())?;\n",
            wrong: "",
        },
    },
    HostMutant {
        test: "compute --test refusals",
        mutant: Mutant {
            name: "damage-resumed",
            what: "a computation continues from memory that has changed since its commit",
            file: "compute/src/job.rs",
            right: "            false => Err(Error::Damaged { step }),\n",
            wrong: "            false => Ok(()),\n",
        },
    },
    HostMutant {
        test: "compute-slice --lib",
        mutant: Mutant {
            name: "lowest-step-resumed",
            what: "the step of the slower rank counts, which is being overwritten",
            file: "sharedmem/slice/src/progress.rs",
            right: "(high - low <= 1).then_some(high)",
            wrong: "(high - low <= 1).then_some(low)",
        },
    },
    HostMutant {
        test: "compute-slice --lib operator",
        mutant: Mutant {
            name: "result-of-two-steps",
            what: "a result is put together from pieces of different steps",
            file: "sharedmem/slice/src/operator/mod.rs",
            right: "result.step != piece.step",
            wrong: "result.step > piece.step",
        },
    },
    HostMutant {
        test: "supervisor --lib compute",
        mutant: Mutant {
            name: "entered-beside-itself",
            what: "a computation is entered again beside cores that did not stop",
            file: "kernel/supervisor/src/compute/computation.rs",
            right: "Strike::Refused(_) => self.rest(Idle::CoresMissing),",
            wrong: "Strike::Refused(_) => self.stopped(ending, slice.committed()),",
        },
    },
    HostMutant {
        test: "supervisor --lib compute",
        mutant: Mutant {
            name: "never-given-up",
            what: "a computation that dies at one step again and again is entered again",
            file: "kernel/supervisor/src/compute/computation.rs",
            right: "self.vain_entries >= VAIN_ENTRIES_MAX",
            wrong: "self.vain_entries == u32::MAX",
        },
    },
];
