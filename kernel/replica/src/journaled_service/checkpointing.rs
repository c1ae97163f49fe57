//! When the primary tells its state, and how: some of it in each round of its main loop.

use alloc::vec::Vec;

use checkpoint::Schedule;
use journal::Journal;
use sharedmem::event::Checkpoint;
use sharedmem::protection::ProtectionState;
use sharedmem::{RecordKind, Words};

use super::JournaledService;
use crate::checkpoint::CheckpointWriter;
use crate::host::Host;

/// How long a backup may take to read the state, before it is told again, in ns.
const REWRITE_NS: u64 = 1_000_000_000;

/// Where the writer stands.
pub(super) struct Checkpoints {
    writer: Option<CheckpointWriter>,
    schedule: Schedule,
    /// Where the journal ended when the checkpoint was gone on with last.
    paced_to: u64,
    /// When a backup that waits to be told the state gets a checkpoint of its own, in ns since the machine's boot.
    filling_from_ns: Option<u64>,
    /// A checkpoint is due in any case.
    is_asked: bool,
}

impl Checkpoints {
    /// None is under way; one is due if it `is_asked` for.
    pub fn new<W: Words + Copy>(journal: &Journal<'_, W>, is_asked: bool) -> Self {
        Self {
            writer: None,
            schedule: Schedule::new(journal.capacity_bytes()),
            paced_to: journal.cursors().reserved,
            filling_from_ns: None,
            is_asked,
        }
    }
}

impl<S: Host> JournaledService<S> {
    /// Tells some of the state, if a checkpoint is due. True if there is more to tell.
    pub fn write_checkpoint(&mut self) -> bool {
        let now_ns = self.host.now_ns();
        let arrived_bytes = self.arrived_bytes();
        let mut payloads = Vec::new();
        let host = self.host.clone();
        // A large value is many records of one round, which would look like a main loop that stands still.
        let mut sink = |payload: &[u8]| {
            payloads.push(payload.to_vec());
            host.advance();
        };
        let Some(mut writer) = self.checkpoints.writer.take() else {
            let is_due = self.is_checkpoint_due(now_ns);
            if is_due {
                let position = self.replica.journal().cursors().reserved;
                let state = self.replica.state_mut();
                self.checkpoints.writer = Some(CheckpointWriter::begin(state, position, &mut sink));
                self.publish(&payloads);
            }
            return is_due;
        };
        let pace_bytes = self.checkpoints.schedule.pace_bytes(arrived_bytes) as usize;
        let is_done = writer.write_some(self.replica.state_mut(), pace_bytes, &mut sink);
        self.publish(&payloads);
        writer.longest_ns = writer.longest_ns.max(self.host.now_ns() - now_ns);
        match is_done {
            true => self.retain(&writer),
            false => self.checkpoints.writer = Some(writer),
        }
        !is_done
    }

    /// Bytes that came into the journal since the last time.
    fn arrived_bytes(&mut self) -> u64 {
        let reserved = self.replica.journal().cursors().reserved;
        reserved - core::mem::replace(&mut self.checkpoints.paced_to, reserved)
    }

    /// Returns whether a checkpoint is to begin: for a backup that has to be told the state, or because the journal cannot be kept for much longer.
    fn is_checkpoint_due(&mut self, now_ns: u64) -> bool {
        let journal = self.replica.journal();
        let retained_bytes = journal.beginning().map(|_| journal.retained_bytes());
        let is_filling = self.host.region().control.protection.state() == ProtectionState::Filling;
        if !is_filling {
            self.checkpoints.filling_from_ns = None;
        } else {
            // A backup reads what is retained. If it still is not filled after a while, it found damage there.
            let from_ns = *self
                .checkpoints
                .filling_from_ns
                .get_or_insert(match retained_bytes {
                    Some(_) => now_ns + REWRITE_NS,
                    None => now_ns,
                });
            if now_ns >= from_ns {
                self.checkpoints.filling_from_ns = Some(now_ns + REWRITE_NS);
                return true;
            }
        }
        let memory_bytes = self.replica.service().used_bytes();
        core::mem::take(&mut self.checkpoints.is_asked)
            || self
                .checkpoints
                .schedule
                .is_due(retained_bytes, memory_bytes)
    }

    /// Returns the state is told to its end: from now on, the journal is kept from where that began.
    fn retain(&mut self, writer: &CheckpointWriter) {
        let journal = self.replica.journal();
        let memory_bytes = self.replica.service().used_bytes();
        let kept_bytes = journal.cursors().reserved - writer.position;
        let is_kept = self
            .checkpoints
            .schedule
            .completed(writer.bytes, kept_bytes, memory_bytes);
        journal.retain(is_kept.then_some(writer.position));
        let checkpoint = Checkpoint {
            bytes: writer.bytes,
            keys: self.replica.service().key_count() as u64,
            longest_ns: writer.longest_ns,
            kept: is_kept,
        };
        log::info!("{checkpoint}");
        if self.checkpoints.schedule.is_too_large() {
            log::warn!(
                "the state ({} bytes) is more than a third of the journal ({} bytes): it does not survive a reset of the machine; a larger journal_mem= would keep it",
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
        self.checkpoints.paced_to = self.replica.journal().cursors().reserved;
    }
}
