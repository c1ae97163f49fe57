//! The deliberate bugs in what decides which cores there are, and whether a takeover would follow; each with the test
//! on the host that has to find it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const CORE_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "supervisor --lib roll_call",
        mutant: Mutant {
            name: "phantom-believed",
            what: "a core that does not answer the roll call counts as there",
            file: "kernel/supervisor/src/roll_call.rs",
            right: "Strike::Refused(silent) => break silent,",
            wrong: "Strike::Refused(_) => break CoreSet::EMPTY,",
        },
    },
    HostMutant {
        test: "supervisor --lib roll_call",
        mutant: Mutant {
            name: "roll-call-proves",
            what: "an answer to the roll call counts at the first fence",
            file: "kernel/supervisor/src/roll_call.rs",
            right: "const GENERATION: u64 = 1 << 62;",
            wrong: "const GENERATION: u64 = 0;",
        },
    },
    HostMutant {
        test: "firmware acpi",
        mutant: Mutant {
            name: "cpu-counted-twice",
            what: "a CPU that the MADT lists twice is two CPUs",
            file: "partition/firmware/src/acpi/cpus.rs",
            right: "_ if self.seen.insert(id) => return self.ids.push(id),",
            wrong: "_ if self.seen.insert(id) || flags != 0 => return self.ids.push(id),",
        },
    },
    HostMutant {
        test: "takeover --test machine",
        mutant: Mutant {
            name: "left-out-core-fenced",
            what: "a fence waits for a core that never came",
            file: "takeover/src/machine/primary.rs",
            right: "self.primary = self.primary.without(core);",
            wrong: "let _ = core;",
        },
    },
    HostMutant {
        test: "supervisor --lib dispatch",
        mutant: Mutant {
            name: "running-core-left-out",
            what: "a core that may run something is taken for stopped",
            file: "kernel/supervisor/src/dispatch.rs",
            right: "Call::GiveUp if it.was_stopped => given_up.push(it.core),",
            wrong: "Call::GiveUp if it.was_stopped || true => given_up.push(it.core),",
        },
    },
    HostMutant {
        test: "sharedmem --lib obstacle",
        mutant: Mutant {
            name: "obstacle-unheard",
            what: "a machine with a backup is protected whatever the monitor says",
            file: "sharedmem/src/obstacle.rs",
            right: "ProtectionState::Armed => told,",
            wrong: "ProtectionState::Armed => Self::NONE,",
        },
    },
];
