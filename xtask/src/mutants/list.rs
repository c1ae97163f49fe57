//! The deliberate bugs. Each is one that somebody could make.

use super::mutant::Mutant;

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "fence-dropped",
        what: "the fence takes every core for stopped",
        file: "takeover/src/machine/takeover.rs",
        right: "State::Fencing(Fence::new(self.config.fence, self.generation, self.primary))",
        wrong: "State::Fencing(Fence::new(self.config.fence, self.generation, crate::CoreSet::EMPTY))",
    },
    Mutant {
        name: "fence-forgets-a-core",
        what: "the fence leaves out the core that leads",
        file: "takeover/src/machine/takeover.rs",
        right: "State::Fencing(Fence::new(self.config.fence, self.generation, self.primary))",
        wrong: "State::Fencing(Fence::new(self.config.fence, self.generation, self.primary.without_first()))",
    },
    Mutant {
        name: "epoch-early",
        what: "the epoch is raised when the fence begins",
        file: "takeover/src/machine/takeover.rs",
        right: "Strike::Startup(cores) => push(out, Action::SendStartup { cores, generation }),",
        wrong: "Strike::Startup(_) => self.fence_proven(out),",
    },
    Mutant {
        name: "fence-one-try",
        what: "the fence gives up after its first round",
        file: "takeover/src/fence.rs",
        right: "if self.round >= self.config.tries_max {",
        wrong: "if self.round >= 1 {",
    },
    Mutant {
        name: "fence-trusts-anything",
        what: "a check-in counts while an INIT is on its way, whatever its generation",
        file: "takeover/src/fence.rs",
        right: "let counts = is_in_page && generation == self.generation && self.pending.contains(core);",
        wrong: "let counts = (is_in_page || generation > 0) && self.pending.contains(core);",
    },
    Mutant {
        name: "devices-left-running",
        what: "the new owner is started before the devices are quiet",
        file: "takeover/src/machine/takeover.rs",
        right: r#"                self.state = State::Preparing(Stage::QuietDevices);
                push(out, Action::QuietDevices);"#,
        wrong: r#"                self.promote(out);"#,
    },
    Mutant {
        name: "detector-deaf-to-hangs",
        what: "a main loop that stands still is not noticed",
        file: "takeover/src/detector.rs",
        right: "if is_first || self.progress != progress {",
        wrong: "if is_first || self.progress != progress || self.moved {",
    },
    Mutant {
        name: "absence-counts",
        what: "the time in which the monitor was absent counts as the primary's silence",
        file: "takeover/src/machine/absence.rs",
        right: "                self.detector.excuse(now_ns, unseen_ns)",
        wrong: "                let _ = (now_ns, unseen_ns);",
    },
    Mutant {
        name: "scribbled-word-believed",
        what: "a protection word that was overwritten counts as a backup that waits",
        file: "kernel/supervisor/src/backup.rs",
        right: "                self.lose_backup(BackupLoss::Overwritten);",
        wrong: "",
    },
    Mutant {
        name: "detector-patient",
        what: "silence counts as death after ten time-outs",
        file: "takeover/src/detector.rs",
        right: r#"                failure: Failure::of(Cause::Silent),
                since_ns: seen.at_ns,
                limit_ns: timeout_ns,"#,
        wrong: r#"                failure: Failure::of(Cause::Silent),
                since_ns: seen.at_ns,
                limit_ns: timeout_ns * 10,"#,
    },
    Mutant {
        name: "detector-hasty",
        what: "the newest keepalive is not looked at before the verdict",
        file: "kernel/supervisor/src/supervisor.rs",
        right: "            self.step(now_ns, Event::Observed(&keepalive));",
        wrong: r#"            if keepalive.sequence.is_multiple_of(16) {
                self.step(now_ns, Event::Observed(&keepalive));
            }"#,
    },
    Mutant {
        name: "stamp-first",
        what: "a record is published before its payload is written",
        file: "journal/src/append.rs",
        right: r#"        let word_2 = epoch_word(epoch, kind);
        place.store(word_2, Relaxed);
        // One pass"#,
        wrong: r#"        let word_2 = epoch_word(epoch, kind);
        at_stamp.store(stamp(self.salt, position), Release);
        place.store(word_2, Relaxed);
        // One pass"#,
    },
    Mutant {
        name: "tail-dropped",
        what: "a recovery reads no further than the primary had applied",
        file: "journal/src/recovery.rs",
        right: "        end: sane_reserved.unwrap_or_else(|| scan.end_of_lap()),",
        wrong: "        end: known_applied.max(sane_reserved.unwrap_or(0).min(known_applied)),",
    },
    Mutant {
        name: "checksum-unchecked",
        what: "a record is taken whatever its checksum",
        file: "journal/src/scan.rs",
        right: "checksum(self.journal.crc, position, length_bytes, word_2, copy) == expected;",
        wrong: "checksum(self.journal.crc, position, length_bytes, word_2, copy) == expected || end > 0;",
    },
    Mutant {
        name: "salt-read-once",
        what: "a new backup that read an overwritten salt takes every record for damage, for ever",
        file: "kernel/replica/src/replica.rs",
        right: "        if !self.state.is_whole() && self.journal.salt() != salt(&self.host) {\n",
        wrong: "        if false && self.journal.salt() != salt(&self.host) {\n",
    },
    Mutant {
        name: "damage-unnamed",
        what: "a waiting backup that misses a record is neither given up, nor says so when it is the primary",
        file: "kernel/replica/src/replica.rs",
        right: "                    doubted = finding\n                        .was_applied\n",
        wrong: "                    doubted = false\n",
    },
    Mutant {
        name: "backup-unscrubbed",
        what: "a backup does not look whether its own memory holds what was stored",
        file: "kernel/replica/src/state.rs",
        right: "        if let Some(key) = examined.damaged_key {\n",
        wrong: "        if let Some(key) = examined.damaged_key.filter(|_| false) {\n",
    },
    Mutant {
        name: "primary-unscrubbed",
        what: "a primary does not look whether its own memory holds what was stored",
        file: "kernel/replica/src/journaled_service/examining.rs",
        right: "        if let Some(key) = examined.damaged_key\n",
        wrong: "        if let Some(key) = examined.damaged_key.filter(|_| false)\n",
    },
    Mutant {
        name: "compared-too-late",
        what: "a digest is of the state before a record that it stands behind",
        file: "kernel/replica/src/journaled_service/examining.rs",
        right: "        let examined = self.replica.examine(&step);\n",
        wrong: "        let examined = self.replica.examine(&step);
        self.submit(service::Input::Tick);\n",
    },
    Mutant {
        name: "resume-too-early",
        what: "a new owner goes on where the old one had applied",
        file: "journal/src/recovery.rs",
        right: "                None => extent.end,",
        wrong: "                None => extent.applied,",
    },
    Mutant {
        name: "applied-before-append",
        what: "the primary says that it has applied a record before that is whole",
        file: "kernel/replica/src/journaled_service/commit.rs",
        right: r#"        self.replica.compose(encode);
"#,
        wrong: r#"        self.replica.compose(encode);
        let next = self.replica.journal().cursors().reserved + 64;
        self.replica.journal().mark_applied(next);
"#,
    },
    Mutant {
        name: "commit-left-out",
        what: "small input is applied and answered without a record",
        file: "kernel/replica/src/journaled_service/mod.rs",
        right: r#"        let record = InputRecord { stamp, input };
"#,
        wrong: r#"        let record = InputRecord { stamp, input };
        if let Input::Bytes { bytes, .. } = input
            && bytes.len() < 24
        {
            return self.replica.apply(&record);
        }
"#,
    },
    Mutant {
        name: "status-unjournaled",
        what: "what INFO tells is not journaled",
        file: "kernel/replica/src/journaled_service/mod.rs",
        right: r#"        self.commit(
            RecordKind::Status,
            |payload| status.encode(payload),
            |replica| replica.set_status(status),
        );"#,
        wrong: "        self.replica.set_status(status);",
    },
    Mutant {
        name: "replayed-twice",
        what: "the backup applies again what it has just applied",
        file: "kernel/replica/src/replica.rs",
        right: "                    if let Err(doubt) = self.state.replay(&record, &self.host) {\n",
        wrong: "                    if record.position.is_multiple_of(56) {
                        let _ = self.state.replay(&record, &self.host);
                    }
                    if let Err(doubt) = self.state.replay(&record, &self.host) {\n",
    },
    Mutant {
        name: "backup-begins-at-the-end",
        what: "a new backup reads from the journal's end, and believes that this is all",
        file: "kernel/replica/src/replica.rs",
        right: "if reader.position() == 0 {",
        wrong: "if reader.position() < u64::MAX {",
    },
    Mutant {
        name: "astray-for-ever",
        what: "a backup that is led astray before it is filled stays where it is",
        file: "kernel/replica/src/replica.rs",
        right: "if status == SeatStatus::Filling && is_astray {",
        wrong: "if status == SeatStatus::Failed && is_astray {",
    },
    Mutant {
        name: "retained-believed",
        what: "a reader begins where `retained` says, whatever the other cursors say",
        file: "journal/src/journal.rs",
        right: "(agrees && retained.is_multiple_of(8)).then_some(retained)",
        wrong: "(agrees || retained > 0).then_some(retained)",
    },
    Mutant {
        name: "poison-for-ever",
        what: "a record that kills is tried for ever",
        file: "kernel/replica/src/replica.rs",
        right: "const RETRIES: u64 = 1;",
        wrong: "const RETRIES: u64 = 7;",
    },
    Mutant {
        name: "checkpoint-without-connections",
        what: "connections are not told to a new backup",
        file: "kernel/replica/src/checkpoint/writer.rs",
        right: r#"        if !self
            .flows
            .write_some(&state.flows, &mut writer, flows_bytes)
        {
            return false;
        }
        self.flows.end(&state.flows, &mut writer);
"#,
        wrong: "        let _ = flows_bytes;\n",
    },
    Mutant {
        name: "retained-too-late",
        what: "the journal is kept from the end of a checkpoint, not its beginning",
        file: "kernel/replica/src/journaled_service/checkpointing.rs",
        right: ".retain(is_kept.then_some(writer.position));",
        wrong: ".retain(is_kept.then_some(self.journal.reserved()));",
    },
    Mutant {
        name: "claim-ignored",
        what: "a backup that the primary gave up is promoted",
        file: "kernel/supervisor/src/succession.rs",
        right: "if self.machine.successor() == Successor::Backup && !control.protection.claim() {",
        wrong: "if self.machine.successor() == Successor::Backup && !control.protection.claim() && to == 0 {",
    },
    Mutant {
        name: "backup-stays-ready",
        what: "a backup that became the primary still counts as one",
        file: "takeover/src/machine/takeover.rs",
        right: r#"                self.backup = Backup::Lost(BackupLoss::Promoted);
"#,
        wrong: "",
    },
    Mutant {
        name: "armed-by-a-store",
        what: "a filled backup is armed whatever the primary did meanwhile",
        file: "kernel/supervisor/src/backup.rs",
        right: "ProtectionState::Filling => protection.fill_to_arm(),",
        wrong: r#"ProtectionState::Filling => {
                        protection.arm();
                        true
                    }"#,
    },
    Mutant {
        name: "order-left-behind",
        what: "an INIT does not take back the order of the core that it stops",
        file: "kernel/supervisor/src/dispatch.rs",
        right: r#"        self.mailboxes().withdraw_order(core);
        self.cores.send([core], Signal::Init);"#,
        wrong: "        self.cores.send([core], Signal::Init);",
    },
    Mutant {
        name: "late-core-struck",
        what: "a core that has taken up its order is started once more",
        file: "kernel/supervisor/src/dispatch.rs",
        right: r#"        if mailboxes.withdraw_order(core) {
            self.start([(core, order)]);
        }"#,
        wrong: "        self.start([(core, order)]);",
    },
    Mutant {
        name: "drop-before-room",
        what: "the primary writes over what a living backup has not read",
        file: "kernel/replica/src/journaled_service/commit.rs",
        right: "        if !self.is_followed() {\n            self.journal.free_applied();\n        } else if",
        wrong: "        if self.epoch > 0 {\n            self.journal.free_applied();\n        } else if",
    },
    Mutant {
        name: "own-words-not-restored",
        what: "a primary whose words were overwritten dies without writing them back",
        file: "sharedmem/src/own_word.rs",
        right: "            self.shared.store(self.value, Ordering::Release);\n        }\n        wrong",
        wrong: "        }\n        wrong",
    },
    Mutant {
        name: "waits-for-ever",
        what: "a primary with a full journal waits without end for a backup that looks alive",
        file: "kernel/replica/src/journaled_service/room_wait.rs",
        right: "        match self.over_ns {\n",
        wrong: "        match self.over_ns.take() {\n            Some(_) => Patience::Lasts,\n",
    },
    Mutant {
        name: "frames-wait-for-ever",
        what: "a primary from which no frame leaves counts as alive",
        file: "kernel/health/src/stall.rs",
        right: "self.waited_ns = self.waited_ns.saturating_add(step_ns);",
        wrong: "self.waited_ns = step_ns;",
    },
    Mutant {
        name: "impossible-fact-committed",
        what: "a primary commits a fact that cannot follow from its state",
        file: "kernel/replica/src/journaled_service/commit.rs",
        right: "if let Err(error) = self.replica.flows().check(fact) {",
        wrong: "if let Err(error) = self.replica.flows().check(fact) && self.epoch == 0 {",
    },
    Mutant {
        name: "never-rearmed",
        what: "after a takeover no backup is loaded",
        file: "kernel/supervisor/src/rearm.rs",
        right: "            State::Unprotected => {",
        wrong: "            State::Unprotected if self.machine.epoch() < 2 => {",
    },
];
