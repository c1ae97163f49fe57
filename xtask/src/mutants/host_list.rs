//! The deliberate bugs in what the simulation does not reach, each with the test on the host that has to find it.

use super::mutant::{HostMutant, Mutant};

/// All of them.
pub const HOST_MUTANTS: &[HostMutant] = &[
    HostMutant {
        test: "takeover --test fence",
        mutant: Mutant {
            name: "check-in-of-before",
            what: "a check-in of an earlier fence counts in the first round",
            file: "takeover/src/fence.rs",
            right: "Phase::Leaving { .. } => self.round > 1,",
            wrong: "Phase::Leaving { .. } => true,",
        },
    },
    HostMutant {
        test: "takeover --test virtualization",
        mutant: Mutant {
            name: "hypervisor-unwarned",
            what: "the first round sends a hypervisor no NMI",
            file: "takeover/src/fence.rs",
            right: "(self.nmi_first && round == 1)",
            wrong: "(self.nmi_first && round == 0)",
        },
    },
    HostMutant {
        test: "supervisor --test hand_over",
        mutant: Mutant {
            name: "nmi-without-a-word",
            what: "the NMI is sent without condemning the primary",
            file: "kernel/supervisor/src/act.rs",
            right: "self.condemned().condemn(self.machine.epoch());",
            wrong: "self.condemned().clear();",
        },
    },
    HostMutant {
        test: "sharedmem --lib condemned",
        mutant: Mutant {
            name: "condemned-for-ever",
            what: "the word for an earlier epoch condemns later kernels",
            file: "sharedmem/src/condemned.rs",
            right: "self.word.load(Ordering::Acquire) == CONDEMNED_TAG | epoch & EPOCH_BITS",
            wrong: "self.word.load(Ordering::Acquire) | epoch & EPOCH_BITS >= CONDEMNED_TAG",
        },
    },
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
        test: "network --test survival farewell",
        mutant: Mutant {
            name: "unheard-for-ever",
            what: "who sends after the end is not told that nobody listens",
            file: "kernel/network/src/attached.rs",
            right: "flow.is_hung_up && socket.state() == State::FinWait2 && socket.can_recv()",
            wrong: "flow.is_hung_up && socket.state() == State::FinWait2 && false",
        },
    },
    HostMutant {
        test: "service --test protocol",
        mutant: Mutant {
            name: "name-uncounted",
            what: "a client's name is not counted",
            file: "kernel/service-state/src/connection.rs",
            right: "            + heap_bytes(self.name.len()) as usize\n",
            wrong: "\n",
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
        test: "service --test takeover",
        mutant: Mutant {
            name: "turn-forgotten",
            what: "who waits longest is not served first",
            file: "kernel/keyspace/src/waits.rs",
            right: "waiters.range(from..).next().copied()",
            wrong: "waiters.range(from..).next_back().copied()",
        },
    },
    HostMutant {
        test: "service --test takeover",
        mutant: Mutant {
            name: "watch-forgotten",
            what: "a checkpoint does not tell that a watched key has changed",
            file: "kernel/service-state/src/checkpoint/clients.rs",
            right: "                if is_changed {\n",
            wrong: "                if is_changed && false {\n",
        },
    },
    HostMutant {
        test: "service --test takeover",
        mutant: Mutant {
            name: "silence-forgotten",
            what: "a checkpoint does not tell who wants no replies",
            file: "kernel/service-state/src/checkpoint/clients.rs",
            right: "if client.replies != Replies::All {",
            wrong: "if client.replies != Replies::All && false {",
        },
    },
    HostMutant {
        test: "service --test takeover",
        mutant: Mutant {
            name: "password-shown",
            what: "MONITOR shows passwords",
            file: "kernel/service/src/commands/monitor.rs",
            right: "secrets > 0 || name == \"auth\" && at > 0",
            wrong: "false && secrets > 0 && name == \"auth\" && at > 0",
        },
    },
    HostMutant {
        test: "service --test properties",
        mutant: Mutant {
            name: "password-forgotten",
            what: "a checkpoint does not tell who has given the password",
            file: "kernel/service-state/src/checkpoint/clients.rs",
            right: "..Connection::new(self.peer, 0, self.is_authenticated)",
            wrong: "..Connection::new(self.peer, 0, true)",
        },
    },
    HostMutant {
        test: "service-state --lib access",
        mutant: Mutant {
            name: "password-prefix",
            what: "a beginning of the password is taken for the password",
            file: "kernel/service-state/src/access.rs",
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
            file: "kernel/service-state/src/checkpoint/writer.rs",
            right: "const LARGE_BYTES: u64 = 16 << 10;",
            wrong: "const LARGE_BYTES: u64 = 16 << 40;",
        },
    },
    HostMutant {
        test: "service --test properties",
        mutant: Mutant {
            name: "value-half-old",
            what: "a value that changes while a checkpoint holds half of it is not begun again",
            file: "kernel/keyspace/src/changes.rs",
            right: "telling.is_stale |= key.is_none_or(|key| *key == telling.key);",
            wrong: "telling.is_stale |= key.is_none();",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "checksums-believed",
            what: "a frame counts whatever its checksums",
            file: "kernel/network/src/stack.rs",
            right: "let has_checksums = capabilities.checksum.tcp.rx();",
            wrong: "let has_checksums = false;",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "unsent-acknowledged",
            what: "an acknowledgement of what was never sent is taken",
            file: "kernel/network/src/judge.rs",
            right: "if position > attached.sent_end {",
            wrong: "if position > u64::MAX - 1 {",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "predecessor-disbelieved",
            what: "an acknowledgement of what a dead kernel had sent is dropped",
            file: "kernel/network/src/judge.rs",
            right: "&& position <= attached.inherited_end",
            wrong: "&& position < 1",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "old-acknowledgement-journaled",
            what: "an acknowledgement that is old by now is committed",
            file: "kernel/network/src/connections.rs",
            right: "let fact = |flow: &Flow| flow.newer_acknowledgement(connection, segment.seq, ack);",
            wrong: r#"let old = (sink.flows().get(connection))
                    .and_then(|flow| flow.newer_acknowledgement(connection, segment.seq, ack));
                let fact = |_: &Flow| old;"#,
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "reset-in-window",
            what: "a reset anywhere in the window ends a connection",
            file: "kernel/network/src/judge.rs",
            right: "_ if is_in_window => challenge(attached, flow, segment, next_in, now_ns),",
            wrong: "_ if is_in_window => Verdict::Take,",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "challenge-unlimited",
            what: "every wrong segment is challenged",
            file: "kernel/network/src/judge.rs",
            right: "if attached.challenged_ns.is_some_and(is_soon) {",
            wrong: "if attached.challenged_ns.is_some_and(is_soon) && false {",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "late-segment-reset",
            what: "a segment that comes before the first is answered with a reset",
            file: "kernel/network/src/connections.rs",
            right: r#"                Cookie::Later => Route::Drop,
"#,
            wrong: "",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "first-segment-twice",
            what: "an old first segment begins a connection again",
            file: "kernel/network/src/connections.rs",
            right: "            Cookie::First(_) => ended.contains(segment.peer, peer_seq, local_seq),",
            wrong: "            Cookie::First(_) => false,",
        },
    },
    HostMutant {
        test: "network --test survival",
        mutant: Mutant {
            name: "path-by-hearsay",
            what: "a router is believed about a segment that was never sent",
            file: "kernel/network/src/connections.rs",
            right: "        if is_under_way {",
            wrong: "        if is_under_way || ahead > 0 {",
        },
    },
    HostMutant {
        test: "network --test survival hearsay",
        mutant: Mutant {
            name: "path-unheard",
            what: "segments stay as long as they were when a path is too narrow",
            file: "kernel/network/src/flow.rs",
            right: "agreed.min(path)",
            wrong: "agreed.max(path.min(1))",
        },
    },
    HostMutant {
        test: "network --lib checkpoint",
        mutant: Mutant {
            name: "path-not-in-checkpoint",
            what: "a checkpoint does not tell the MTU of a path",
            file: "kernel/network/src/checkpoint/restore.rs",
            right: r#"                flow.path_mtu = image.path_mtu;
"#,
            wrong: "",
        },
    },
    HostMutant {
        test: "network --lib checkpoint",
        mutant: Mutant {
            name: "connection-written-once",
            what: "a connection that has changed is not written again",
            file: "kernel/network/src/checkpoint/writer.rs",
            right: "told.end != end_of(flow) || told.image != image_of(connection, flow)",
            wrong: "told.end != end_of(flow) && told.image != image_of(connection, flow)",
        },
    },
    HostMutant {
        test: "network --lib checkpoint",
        mutant: Mutant {
            name: "connections-in-one-go",
            what: "all connections are written into a checkpoint in one round",
            file: "kernel/network/src/checkpoint/writer.rs",
            right: "self.repeats <= REPEATS_MAX * flows.len()",
            wrong: "self.repeats > REPEATS_MAX * flows.len()",
        },
    },
    HostMutant {
        test: "network --lib flows",
        mutant: Mutant {
            name: "next-reply-pays",
            what: "who is answered next is disconnected, not who is owed most",
            file: "kernel/network/src/flows.rs",
            right: "let Some(debtor) = self.largest_debtor(Some((connection, bytes.len()))) else {",
            wrong: "let Some(debtor) = Some(connection) else {",
        },
    },
    HostMutant {
        test: "journal --test journal",
        mutant: Mutant {
            name: "append-over-unread",
            what: "room is taken that a reader still needs",
            file: "journal/src/append.rs",
            right: "(Some(free_bytes), Some(end)) if needed_bytes <= free_bytes => Ok(end),",
            wrong: "(Some(free_bytes), Some(end)) if needed_bytes <= free_bytes + needed_bytes => Ok(end),",
        },
    },
    HostMutant {
        test: "sharedmem --lib applying",
        mutant: Mutant {
            name: "suspect-forgotten",
            what: "nobody notes which record is being applied",
            file: "sharedmem/src/applying.rs",
            right: "        self.current.set(position & !DEATHS | IS_APPLYING);",
            wrong: "        self.current.set(position & !DEATHS);",
        },
    },
    HostMutant {
        test: "replica --test primary_and_backup",
        mutant: Mutant {
            name: "consumed-too-early",
            what: "the backup gives room free that it has not read",
            file: "kernel/replica/src/replica.rs",
            right: "self.vigil.mark_consumed(&self.journal, reader.position());",
            wrong: "self.vigil.mark_consumed(&self.journal, self.journal.cursors().reserved);",
        },
    },
    HostMutant {
        test: "replica --test primary_and_backup",
        mutant: Mutant {
            name: "own-words-believed",
            what: "the primary does not compare the words that it alone writes with its copies",
            file: "kernel/replica/src/journaled_service/memory.rs",
            right: "        if self.journal.check().is_ok() {",
            wrong: "        if self.epoch > 0 {",
        },
    },
];
