//! The deliberate bugs in what the simulation does not reach, each with the test on the host that has to find it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const HOST_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "service --test bounded_work",
        mutant: Mutant {
            name: "arguments-uncounted",
            what: "a walk through a request's arguments gives no sign of life",
            file: "kernel/resp/src/arguments.rs",
            right: r#"        steps.step();
        self.rest.next()"#,
            wrong: r#"        let _ = steps;
        self.rest.next()"#,
        },
    },
    HostMutant {
        test: "service --test protocol",
        mutant: Mutant {
            name: "name-uncounted",
            what: "a client's name is not counted",
            file: "kernel/service/src/connection.rs",
            right: "self.parser.kept_bytes() + heap_bytes(self.name.len()) as usize",
            wrong: "self.parser.kept_bytes()",
        },
    },
    HostMutant {
        test: "service --test memory",
        mutant: Mutant {
            name: "empty-arguments-free",
            what: "the argument slots of an unfinished request are not counted",
            file: "kernel/resp/src/parser/mod.rs",
            right: "line + slots * size_of::<Bytes>() + self.strings_bytes",
            wrong: "line + 0 * slots + self.strings_bytes",
        },
    },
    HostMutant {
        test: "service --test protocol",
        mutant: Mutant {
            name: "smallest-debtor-pays",
            what: "who keeps least is disconnected when all keep too much",
            file: "kernel/service/src/service.rs",
            right: "debts.max()",
            wrong: "debts.min()",
        },
    },
    HostMutant {
        test: "service --test access",
        mutant: Mutant {
            name: "failover-for-all",
            what: "FAILOVER asks nobody for permission",
            file: "kernel/service/src/commands/failover.rs",
            right: "if !is_operator(context.limits, context.connection) {",
            wrong: "if !is_operator(context.limits, context.connection) && false {",
        },
    },
    HostMutant {
        test: "service --test properties",
        mutant: Mutant {
            name: "password-forgotten",
            what: "a checkpoint does not tell who has given the password",
            file: "kernel/service/src/checkpoint/restore.rs",
            right: "is_authenticated: client.is_authenticated,",
            wrong: "is_authenticated: true,",
        },
    },
    HostMutant {
        test: "service --lib access",
        mutant: Mutant {
            name: "password-prefix",
            what: "a beginning of the password is taken for the password",
            file: "kernel/service/src/access.rs",
            right: "usize::from(given.len() != self.0.len())",
            wrong: "usize::from(given.len() > self.0.len())",
        },
    },
    HostMutant {
        test: "resp glob",
        mutant: Mutant {
            name: "pattern-one-word",
            what: "a long pattern loses what moves from one word to the next",
            file: "kernel/resp/src/glob.rs",
            right: "carry = moved >> 63;",
            wrong: "carry = 0;",
        },
    },
    HostMutant {
        test: "service --test properties",
        mutant: Mutant {
            name: "value-in-one-go",
            what: "a large value is written into a checkpoint in one round",
            file: "kernel/service/src/checkpoint/writer.rs",
            right: "const LARGE_BYTES: u64 = 16 << 10;",
            wrong: "const LARGE_BYTES: u64 = 16 << 40;",
        },
    },
    HostMutant {
        test: "service --test properties",
        mutant: Mutant {
            name: "value-half-old",
            what: "a value that changes while a checkpoint holds half of it is not begun again",
            file: "kernel/service/src/store/changes.rs",
            right: "telling.is_stale |= key.is_none_or(|key| *key == telling.key);",
            wrong: "telling.is_stale |= key.is_none();",
        },
    },
];
