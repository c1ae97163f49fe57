//! The deliberate bugs in how PCI functions are found and made quiet; each with the test on the host that has to find
//! it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const DEVICE_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "plugged-unseen",
            what: "a PCI function that was plugged since boot is not looked for",
            file: "kernel/arch/src/pci/tree.rs",
            right: "            self.walk(space, self.roots[index]);\n        }\n        // A bridge",
            wrong: "            let _ = (&mut *space, index);\n        }\n        // A bridge",
        },
    },
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "reset-too-early",
            what: "a function is accessed in its first 100 ms after a reset",
            file: "kernel/arch/src/pci/reset.rs",
            right: "while elapsed_ns() < RESET_NS",
            wrong: "while elapsed_ns() < 1",
        },
    },
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "hang-taken-for-reset",
            what: "a function that hangs in its reset counts as reset",
            file: "kernel/arch/src/pci/reset.rs",
            right: "took_ns: is_ready.then_some(at_ns)",
            wrong: "took_ns: Some(at_ns)",
        },
    },
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "addresses-lost",
            what: "a function keeps no base addresses over its reset",
            file: "kernel/arch/src/pci/reset.rs",
            right: "                saved.restore(space);\n",
            wrong: "                let _ = &saved;\n",
        },
    },
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "holding-believed",
            what: "a bridge is believed to hold what is behind it in reset",
            file: "kernel/arch/src/pci/isolate.rs",
            right: "control != u32::MAX && control & SECONDARY_RESET != 0",
            wrong: "control != u32::MAX",
        },
    },
    HostMutant {
        test: "arch pci",
        mutant: Mutant {
            name: "sleep-believed",
            what: "a function is believed to sleep",
            file: "kernel/arch/src/pci/wake.rs",
            right: "control != u32::MAX && control & STATE == D3_HOT",
            wrong: "control != u32::MAX",
        },
    },
];
