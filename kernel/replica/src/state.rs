//! The state that the journal's records make.
//!
//! A backup that follows, a new primary that recovers and a primary that commits apply the same records in the same
//! way.

use alloc::format;
use core::error::Error;

use journal::{RawKind, RecentRecords, Record};
use network::{Fact, Flows};
use service::{HostStatus, Input, InputRecord, Service};
use sharedmem::RecordKind;

use crate::canary::{CanaryError, CanaryReply};
use crate::checkpoint::{CheckpointReader, CheckpointedState};
use crate::digest::{Digest, DigestStep, Examined, Examiner};
use crate::doubt::Doubt;
use crate::effects::{Effects, note_backup_progress};
use crate::findings::log_finding;
use crate::host::{Host, ReplicaLimits};

/// The state that the records make.
pub struct ReplicaState {
    /// What a checkpoint contains.
    pub checkpointed: CheckpointedState,
    /// Records that programs appended while a Linux was the primary.
    pub records: RecentRecords,
    /// Whether the state is whole, or a checkpoint has to come, or has begun.
    reader: CheckpointReader,
    /// The reply to the last canary. No state: only the primary looks at it, right after it has applied the request.
    canary: CanaryReply,
    /// A checkpoint is to be written. No state either.
    is_checkpoint_ordered: bool,
    /// Goes through the state, to see whether it is what it should be. No state either.
    examiner: Examiner,
    limits: ReplicaLimits,
}

impl ReplicaState {
    /// Makes an empty state that is not whole: a checkpoint has to come first.
    pub fn new(limits: ReplicaLimits) -> Self {
        Self {
            checkpointed: CheckpointedState {
                service: Service::new(limits.service.clone()),
                flows: Flows::new(limits.unacked_bytes_max),
                last_time_ms: 0,
            },
            records: RecentRecords::new(limits.records_bytes_max),
            reader: CheckpointReader::Waiting,
            canary: CanaryReply::default(),
            is_checkpoint_ordered: false,
            examiner: Examiner::default(),
            limits,
        }
    }

    /// Returns whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.reader.is_whole()
    }

    /// Returns whether a checkpoint was begun, or the state is whole.
    pub(crate) fn has_begun(&self) -> bool {
        !matches!(self.reader, CheckpointReader::Waiting)
    }

    /// Declares the state whole, because there were no records before.
    pub fn begin_whole(&mut self) {
        self.reader = CheckpointReader::Whole;
    }

    /// Discards everything: a checkpoint has to come.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits.clone());
    }

    /// Replays a record of the journal.
    ///
    /// # Errors
    /// Nobody can have applied the record to the state before it: that state is not the one it was written for.
    pub fn replay(&mut self, record: &Record<'_>, host: &impl Host) -> Result<(), Doubt> {
        let impossible = |error: &dyn Error| Doubt::Damaged {
            position: record.position,
            what: format!("the record at position {}: {error}", record.position),
        };
        match record.kind.known() {
            Some(RecordKind::Checkpoint) => self.read_checkpoint(record.payload, host),
            // A digest changes nothing: see `compare`.
            Some(RecordKind::Epoch | RecordKind::Digest) => {}
            _ if !self.is_whole() => {}
            Some(RecordKind::Input) => match InputRecord::decode(record.payload) {
                Ok(record) => self.apply_input(&record, host, true),
                Err(error) => return Err(impossible(&error)),
            },
            Some(RecordKind::Connection) => {
                let fact = Fact::decode(record.payload).map_err(|error| impossible(&error))?;
                let flows = &mut self.checkpointed.flows;
                flows.apply(&fact).map_err(|error| impossible(&error))?;
            }
            Some(RecordKind::Status) => match HostStatus::decode(record.payload) {
                Ok(status) => self.checkpointed.service.set_status(status),
                Err(error) => return Err(impossible(&error)),
            },
            Some(RecordKind::Application) => {
                self.records
                    .keep(record.position, record.epoch, record.payload)
            }
            None if record.kind.is_skipped() => self.refuse(record, host),
            None => log_finding(format_args!(
                "the record at position {} is of kind {}, which this version does not know",
                record.position, record.kind.0
            )),
        }
        Ok(())
    }

    /// Compares the state with the primary's, if the record is a digest of that. It takes a bounded time.
    ///
    /// # Errors
    /// The two differ, or this state is not what it should be.
    pub fn compare(&mut self, record: &Record<'_>) -> Result<(), Doubt> {
        if record.kind.known() != Some(RecordKind::Digest) {
            return Ok(());
        }
        let Some(digest) = Digest::decode(record.payload) else {
            return Ok(());
        };
        let examined = self.examine(&digest.step);
        if let Some(key) = examined.damaged_key {
            return Err(Doubt::Corrupt { key });
        }
        let difference = digest.fingerprints.difference(&examined.fingerprints);
        match difference.filter(|_| digest.is_sound) {
            Some(what) => Err(Doubt::Diverged {
                position: record.position,
                what,
            }),
            None => Ok(()),
        }
    }

    /// Goes through a part of the state.
    pub(crate) fn examine(&mut self, step: &DigestStep) -> Examined {
        self.examiner.examine(&self.checkpointed, step)
    }

    /// Reads a record of a checkpoint.
    fn read_checkpoint(&mut self, payload: &[u8], host: &impl Host) {
        let step = &mut || note_backup_progress(host);
        match self.reader.read(payload, &self.limits, step) {
            Ok(None) => {}
            Ok(Some(state)) => self.checkpointed = state,
            Err(error) => log_finding(format_args!("{error}; it has to begin again")),
        }
    }

    /// Applies an input that was just committed.
    pub fn apply(&mut self, record: &InputRecord<'_>, host: &impl Host) {
        self.apply_input(record, host, false);
    }

    /// Applies a fact about a connection, which was found possible before it was committed.
    pub fn apply_fact(&mut self, fact: &Fact) {
        if let Err(error) = self.checkpointed.flows.apply(fact) {
            panic!("a fact was possible and is not any more: {error}");
        }
    }

    /// Returns whether a checkpoint was ordered since the last call.
    pub(crate) fn take_checkpoint_order(&mut self) -> bool {
        core::mem::take(&mut self.is_checkpoint_ordered)
    }

    /// Checks the reply to the canary of this number, which was the last input.
    pub(crate) fn check_canary(&self, number: u64) -> Result<(), CanaryError> {
        self.canary.check(number)
    }

    fn apply_input(&mut self, record: &InputRecord<'_>, host: &impl Host, is_replayed: bool) {
        self.note_input(record);
        let (service, mut effects) = self.service(host, is_replayed);
        service.apply(record, &mut effects);
    }

    /// Refuses an input that has stopped two primaries: its client gets an error.
    fn refuse(&mut self, record: &Record<'_>, host: &impl Host) {
        if record.kind != RawKind::from(RecordKind::Input).skipped() {
            return;
        }
        if let Ok(record) = InputRecord::decode(record.payload) {
            self.note_input(&record);
            let (service, mut effects) = self.service(host, true);
            service.refuse(&record, &mut effects);
        }
    }

    fn service<'a, H: Host>(
        &'a mut self,
        host: &'a H,
        is_replayed: bool,
    ) -> (&'a mut Service, Effects<'a, H>) {
        let CheckpointedState { service, flows, .. } = &mut self.checkpointed;
        self.canary.clear();
        let effects = Effects {
            flows,
            canary: &mut self.canary,
            is_checkpoint_ordered: &mut self.is_checkpoint_ordered,
            host,
            is_replayed,
        };
        (service, effects)
    }

    /// Notes an input on its connection, whether it is applied or refused.
    fn note_input(&mut self, record: &InputRecord<'_>) {
        let CheckpointedState {
            flows,
            last_time_ms,
            ..
        } = &mut self.checkpointed;
        *last_time_ms = record.stamp.time_ms.max(*last_time_ms);
        match record.input {
            Input::Open { connection, .. } => flows.opened(connection),
            Input::Bytes { connection, bytes } => flows.received(connection, bytes.len()),
            Input::Close { connection } => flows.closed(connection),
            Input::Tick => {}
        }
    }
}
