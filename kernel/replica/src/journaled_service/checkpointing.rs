//! Writes checkpoints: a part in each round of the main loop.

use alloc::vec::Vec;

use checkpoint::Schedule;
use journal::Journal;
use sharedmem::cause::BackupLoss;
use sharedmem::event::Checkpoint;
use sharedmem::protection::ProtectionState;
use sharedmem::{RecordKind, Words};

use super::JournaledService;
use crate::checkpoint::CheckpointWriter;
use crate::host::Host;

/// Time that a new backup has to read the state before a checkpoint is written for it, in ns.
const REWRITE_NS: u64 = 1_000_000_000;

/// The checkpoint that is being written, and when the next one is due.
pub(super) struct Checkpoints {
    writer: Option<CheckpointWriter>,
    schedule: Schedule,
    /// Where the journal ended after the last part of a checkpoint.
    paced_to: u64,
    /// When a checkpoint is written for a backup that is not filled yet, in ns since the machine's boot.
    filling_from_ns: Option<u64>,
    /// Whether a checkpoint is due in any case.
    is_asked: bool,
}

impl Checkpoints {
    /// Begins without a checkpoint under way. If `is_asked`, one is due at once.
    pub fn new<W: Words + Copy>(journal: &Journal<'_, W>, is_asked: bool) -> Self {
        Self {
            writer: None,
            schedule: Schedule::new(journal.capacity_bytes()),
            paced_to: journal.cursors().reserved,
            filling_from_ns: None,
            is_asked,
        }
    }

    /// Makes a checkpoint due.
    pub fn ask(&mut self) {
        self.is_asked = true;
    }
}

impl<H: Host> JournaledService<H> {
    /// Writes a part of a checkpoint, if one is due. Returns whether there is more to write.
    pub fn write_checkpoint(&mut self) -> bool {
        let now_ns = self.host.now_ns();
        let arrived_bytes = self.arrived_bytes();
        let host = self.host.clone();
        let mut payloads = Vec::new();
        let Some(mut writer) = self.checkpoints.writer.take() else {
            let is_due = self.is_checkpoint_due(now_ns);
            if is_due {
                let position = self.journal.reserved();
                let state = self.replica.checkpointed_mut();
                let mut sink = |payload: &[u8]| payloads.push(payload.to_vec());
                self.checkpoints.writer = Some(CheckpointWriter::begin(state, position, &mut sink));
                self.publish(&payloads);
            }
            return is_due;
        };
        let pace_bytes = self.checkpoints.schedule.pace_bytes(arrived_bytes) as usize;
        let is_done = loop {
            // Count work for each record: connections become many records in one round, which would look like a hang.
            let mut sink = |payload: &[u8]| {
                payloads.push(payload.to_vec());
                host.advance();
            };
            let state = self.replica.checkpointed_mut();
            let is_done = writer.write_some(state, pace_bytes, &mut sink);
            let is_round_over = is_done || !state.service.must_write_more();
            // Publish each part before the next is made: a large value is never there twice.
            self.publish(&payloads);
            payloads.clear();
            if is_round_over {
                break is_done;
            }
        };
        writer.longest_ns = writer.longest_ns.max(self.host.now_ns() - now_ns);
        match is_done {
            true => self.retain(&writer),
            false => self.checkpoints.writer = Some(writer),
        }
        !is_done
    }

    /// Returns the number of bytes that came into the journal since the last part.
    fn arrived_bytes(&mut self) -> u64 {
        let reserved = self.journal.reserved();
        reserved - core::mem::replace(&mut self.checkpoints.paced_to, reserved)
    }

    /// Returns whether a checkpoint is to begin: for a backup that needs the state, or because the journal cannot be
    /// kept much longer.
    fn is_checkpoint_due(&mut self, now_ns: u64) -> bool {
        let journal = self.replica.journal();
        let retained_bytes = journal.beginning().map(|_| journal.retained_bytes());
        let is_filling = self.host.region().control.protection.state() == ProtectionState::Filling;
        if !is_filling {
            self.checkpoints.filling_from_ns = None;
        } else {
            // A new backup reads what is retained. If it is not filled after a while, there is damage; if the one
            // before found damage, it lies there still.
            let last_loss = self
                .host
                .region()
                .control
                .backup
                .last_loss()
                .map(|it| it.loss);
            let is_damaged = last_loss == Some(BackupLoss::Damaged);
            let from_ns = *self
                .checkpoints
                .filling_from_ns
                .get_or_insert(match retained_bytes {
                    Some(_) if !is_damaged => now_ns + REWRITE_NS,
                    _ => now_ns,
                });
            if now_ns >= from_ns {
                self.checkpoints.filling_from_ns = Some(now_ns + REWRITE_NS);
                return true;
            }
        }
        let memory_bytes = self.replica.service().used_bytes();
        self.replica.take_checkpoint_order()
            || core::mem::take(&mut self.checkpoints.is_asked)
            || self
                .checkpoints
                .schedule
                .is_due(retained_bytes, memory_bytes)
    }

    /// Keeps the journal from the beginning of a checkpoint that is complete, unless the state is too large.
    fn retain(&mut self, writer: &CheckpointWriter) {
        let journal = self.replica.journal();
        let memory_bytes = self.replica.service().used_bytes();
        let kept_bytes = self.journal.reserved() - writer.position;
        let is_kept = self
            .checkpoints
            .schedule
            .completed(writer.bytes, kept_bytes, memory_bytes);
        self.journal.retain(is_kept.then_some(writer.position));
        let checkpoint = Checkpoint {
            bytes: writer.bytes,
            keys: self.replica.service().key_count() as u64,
            longest_ns: writer.longest_ns,
            kept: is_kept,
        };
        log::info!("{checkpoint}");
        if self.checkpoints.schedule.is_too_large() {
            log::warn!(
                "the state ({} bytes) is more than a third of the journal ({} bytes): it does not survive a reset of \
                 the machine; a larger journal_mem= would keep it",
                writer.bytes,
                journal.capacity_bytes()
            );
        }
        self.checkpoints.filling_from_ns = None;
    }

    /// Commits records of a checkpoint.
    fn publish(&mut self, payloads: &[Vec<u8>]) {
        for payload in payloads {
            self.commit(
                RecordKind::Checkpoint,
                |out| out.extend_from_slice(payload),
                |_| {},
            );
            self.host.advance();
        }
        self.checkpoints.paced_to = self.journal.reserved();
    }
}
