//! The deliberate bugs in how two kernels compare their states, as far as the simulation does not reach them.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const COMPARISON_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "service --test properties comparison",
        mutant: Mutant {
            name: "order-uncompared",
            what: "two lists with the same elements in another order count as the same",
            file: "kernel/keyspace/src/scrub.rs",
            right: "            self.chain.number(sum);\n        }\n",
            wrong: "            self.chain.number(0 * sum);\n        }\n",
        },
    },
    HostMutant {
        test: "service --test properties comparison",
        mutant: Mutant {
            name: "deadline-unsummed",
            what: "the sum of an entry does not follow its deadline",
            file: "kernel/keyspace/src/deadlines.rs",
            right: ".wrapping_add(deadline_sum(deadline_ms));",
            wrong: ".wrapping_add(deadline_sum(old));",
        },
    },
    HostMutant {
        test: "service --test properties comparison",
        mutant: Mutant {
            name: "append-unsummed",
            what: "an append leaves out the sum of the piece that it extends",
            file: "kernel/keyspace/src/strings.rs",
            right: "            let before = pieces_sum(string, first);\n",
            wrong: "            let before = pieces_sum(string, first + 1);\n",
        },
    },
    HostMutant {
        test: "replica --lib state_watch",
        mutant: Mutant {
            name: "old-agreement-forgotten",
            what: "two divergences an hour apart count as two in a row",
            file: "kernel/replica/src/state_watch.rs",
            right: ">= AGREED_NS => {",
            wrong: ">= u64::MAX => {",
        },
    },
];
