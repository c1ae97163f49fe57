//! The deliberate bugs in how devices are kept from memory, each with the test on the host that has to find it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const DMA_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "iommu --lib",
        mutant: Mutant {
            name: "denied-in-memory-only",
            what: "at a takeover the IOMMU goes on with what it remembers",
            file: "kernel/iommu/src/lib.rs",
            right: r#"        self.domain.deny(&mut self.memory);
        self.invalidate(&[])"#,
            wrong: r#"        self.domain.deny(&mut self.memory);
        Ok(())"#,
        },
    },
    HostMutant {
        test: "iommu --lib",
        mutant: Mutant {
            name: "old-owner-still-reached",
            what: "memory that the last owner had stays in the IOMMU's top table",
            file: "kernel/iommu/src/domain.rs",
            right: "        for index in self.owners.iter().flat_map(|owner| owner.keys()) {",
            wrong: "        for index in self.owners.iter().take(1).flat_map(|owner| owner.keys()) {",
        },
    },
    HostMutant {
        test: "iommu --lib",
        mutant: Mutant {
            name: "iommu-off-to-take-it",
            what: "an IOMMU that was left on is off for a moment when it is taken over",
            file: "kernel/iommu/src/vtd/mod.rs",
            right: "if found.was_translating && self.registers.read64(ROOT_TABLE) & ROOT_MODE != 0 {",
            wrong: "if found.was_translating {",
        },
    },
    HostMutant {
        test: "iommu --lib",
        mutant: Mutant {
            name: "tables-left-in-the-cache",
            what: "an IOMMU that does not look into caches sees no change of its tables",
            file: "kernel/iommu/src/memory.rs",
            right: "            self.memory.write_back(address);",
            wrong: "            let _ = address;",
        },
    },
    HostMutant {
        test: "iommu --lib",
        mutant: Mutant {
            name: "barred-function-remembered",
            what: "AMD's IOMMU goes on with the entry of a function that was barred",
            file: "kernel/iommu/src/lib.rs",
            right: "                false => Change::Functions(&ids),",
            wrong: "                false => Change::Pages,",
        },
    },
];
