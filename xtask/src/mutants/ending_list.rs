//! The deliberate bugs in what follows an ordered end; each with the test on the host that has to find it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const ENDING_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "takeover --test machine ending",
        mutant: Mutant {
            name: "stop-awaited",
            what: "a primary that was told to stop is watched as before",
            file: "takeover/src/machine/primary.rs",
            right: "                self.state = State::Stopped;\n",
            wrong: "",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over ordered_stop",
        mutant: Mutant {
            name: "halt-powers-off",
            what: "a machine whose primary was told to halt is powered off",
            file: "kernel/supervisor/src/reset.rs",
            right: "it.cause == Some(EpitaphCause::PowerOff)",
            wrong: "it.cause.is_some()",
        },
    },
    HostMutant {
        test: "firmware acpi::power",
        mutant: Mutant {
            name: "sleep-type-swapped",
            what: "both power control registers get the first sleep type",
            file: "partition/firmware/src/acpi/power.rs",
            right: "_ => Some([first, constant(rest)?.0]),",
            wrong: "_ => constant(rest).map(|_| [first, first]),",
        },
    },
];
