//! Deliberate bugs of what watches the machine, and of its logs; see [`HOST_MUTANTS`](super::host_list::HOST_MUTANTS).

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const WATCHER_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "replica --lib canary",
        mutant: Mutant {
            name: "canary-not-compared",
            what: "any reply to the canary will do",
            file: "kernel/replica/src/canary.rs",
            right: "(self.length == REPLY_BYTES && self.bytes == expected)",
            wrong: "(self.length == REPLY_BYTES || self.bytes == expected)",
        },
    },
    HostMutant {
        test: "service --test canary",
        mutant: Mutant {
            name: "canary-unanswered",
            what: "the service ignores its canaries",
            file: "kernel/service/src/service.rs",
            right: r#"        self.receive(CANARY, bytes, stamp, host);
"#,
            wrong: r#"        let _ = (bytes, stamp);
"#,
        },
    },
    HostMutant {
        test: "service --test canary",
        mutant: Mutant {
            name: "canary-counted",
            what: "clients see the canary in their statistics",
            file: "kernel/service/src/service.rs",
            right: r#"        self.state.statistics = statistics;
"#,
            wrong: r#"        let _ = statistics;
"#,
        },
    },
    HostMutant {
        test: "health --lib registers",
        mutant: Mutant {
            name: "status-unchecked",
            what: "a device that was reset counts as working",
            file: "kernel/health/src/registers.rs",
            right: "(found == WORKING)",
            wrong: "(found & !WORKING == 0)",
        },
    },
    HostMutant {
        test: "health --lib used_ring",
        mutant: Mutant {
            name: "used-index-believed",
            what: "a used index that jumps back is believed",
            file: "kernel/health/src/used_ring.rs",
            right: "found.wrapping_sub(self.seen) > may_advance",
            wrong: "found > self.seen && found.wrapping_sub(self.seen) > may_advance",
        },
    },
    HostMutant {
        test: "health --lib stall",
        mutant: Mutant {
            name: "absence-counts-as-waiting",
            what: "time in which the machine was stopped counts as waiting",
            file: "kernel/health/src/stall.rs",
            right: "            .min(STEP_NS_MAX);",
            wrong: "            .min(u64::MAX);",
        },
    },
    HostMutant {
        test: "health --lib remedy",
        mutant: Mutant {
            name: "takeovers-without-end",
            what: "a card that stays broken costs one takeover after the other",
            file: "kernel/health/src/remedy.rs",
            right: "is_protected && !would_repeat",
            wrong: "is_protected && (!would_repeat || served_ns > 0)",
        },
    },
    HostMutant {
        test: "arch logger",
        mutant: Mutant {
            name: "flood-fills-the-log",
            what: "a place in the code may log as much as it likes",
            file: "kernel/arch/src/logger/budget.rs",
            right: "        self.free_bytes = after.unwrap_or(left) as u32;",
            wrong: "        self.free_bytes = after.map_or(left, |_| left) as u32;",
        },
    },
    HostMutant {
        test: "arch logger",
        mutant: Mutant {
            name: "reason-pushed-out",
            what: "warnings and errors are written into the log once only",
            file: "kernel/arch/src/logger/reasons.rs",
            right: "age_bytes >= AGAIN_AFTER_BYTES as u64",
            wrong: "age_bytes > u64::MAX - 1",
        },
    },
    HostMutant {
        test: "integrity --lib sweep",
        mutant: Mutant {
            name: "sweep-learns-again",
            what: "a page that is not as it was counts as learned anew",
            file: "kernel/integrity/src/sweep.rs",
            right: "Some(_) => return Err(Altered { address }),",
            wrong: "Some(_) => self.digests[number] = digest,",
        },
    },
    HostMutant {
        test: "integrity --lib sweep",
        mutant: Mutant {
            name: "accessed-bits-count",
            what: "what the processor notes in a page table counts as damage",
            file: "kernel/integrity/src/memory.rs",
            right: "mask: !BITS_OF_PROCESSOR,",
            wrong: "mask: !0 >> 1,",
        },
    },
    HostMutant {
        test: "integrity --lib address_space",
        mutant: Mutant {
            name: "foreign-table-followed",
            what: "a page table of another's memory is followed",
            file: "kernel/integrity/src/address_space.rs",
            right: "if !self.memory.owns(table, PAGE_BYTES) {",
            wrong: "if false && !self.memory.owns(table, PAGE_BYTES) {",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over damaged",
        mutant: Mutant {
            name: "damaged-backup-waits",
            what: "a backup whose text is damaged goes on waiting",
            file: "kernel/supervisor/src/backup.rs",
            right: "if let Some(Err(loss)) = checked {",
            wrong: "if let Some(Err(loss)) = checked.filter(|_| false) {",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over",
        mutant: Mutant {
            name: "dropped-backup-kept",
            what: "a backup that is given up amid a fence counts as there",
            file: "kernel/supervisor/src/succession.rs",
            right: "return self.let_backup_go(match is_dropped {",
            wrong: "return Event::BackupLost(match is_dropped {",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over",
        mutant: Mutant {
            name: "loaded-for-nobody",
            what: "a machine without any primary waits for a backup",
            file: "kernel/supervisor/src/reset.rs",
            right: "            && self.primary.is_some()\n",
            wrong: "",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over",
        mutant: Mutant {
            name: "restart-asked-for-ever",
            what: "a primary that cannot be started again goes on asking",
            file: "kernel/supervisor/src/succession.rs",
            right: r#"        // What it asked for is being done, whatever comes of it.
        self.clear_last_words();
"#,
            wrong: "",
        },
    },
    HostMutant {
        test: "replica --lib canary",
        mutant: Mutant {
            name: "unanswered-forgotten",
            what: "that a canary got no reply is said in one round only",
            file: "kernel/replica/src/canary.rs",
            right: "        self.verdict = verdict;",
            wrong: "        let _ = verdict;",
        },
    },
];
