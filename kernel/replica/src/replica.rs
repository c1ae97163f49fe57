//! The replica: the service's state, and the journal it is made from.
//!
//! A backup follows: it reads from where the journal makes the whole state, as far as the primary has applied it. A
//! backup that becomes the primary recovers: it reads the rest, as far as that is whole. A primary commits: it
//! appends a record and then applies it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use journal::{Next, RawKind, Reader, RecentRecords, Record, RecoverySummary};
use network::{Fact, Flows};
use service::{HostStatus, Input, InputRecord, Service, Stamp};
use sharedmem::RecordKind;
use sharedmem::abi::SeatStatus;
use sharedmem::event::{RecordSkipped, StateLost, Text};
use sharedmem::protection::ProtectionState;

use crate::canary::CanaryError;
use crate::checkpoint::CheckpointedState;
use crate::digest::{DigestStep, Examined};
use crate::doubt::Doubt;
use crate::effects::note_backup_progress;
use crate::findings::{log_damage, log_finding};
use crate::host::Host;
use crate::shared_journal::{SharedJournal, SharedReader, open_journal, salt};
use crate::state::ReplicaState;
use crate::vigil::Vigil;

/// Records that a backup applies before the monitor looks at its detector again.
const RECORDS_PER_STEP: usize = 64;

/// How often a record in which a kernel stopped is tried again.
const RETRIES: u64 = 1;

/// Bytes of a record that its description shows.
const EXCERPT_BYTES: usize = 80;

/// State and journal.
pub struct Replica<H> {
    host: H,
    state: ReplicaState,
    journal: SharedJournal,
    /// The reader of a backup that has begun to read; a primary has none.
    reader: Option<SharedReader>,
    /// Why a waiting backup's state cannot be the primary's.
    doubt: Option<Doubt>,
    /// What a waiting backup has to do with damage that costs it nothing yet.
    vigil: Vigil,
    buffer: Vec<u8>,
}

impl<H: Host> Replica<H> {
    /// Makes a replica with an empty state, which has read nothing yet.
    pub fn new(host: H) -> Self {
        let journal = open_journal(&host);
        Self {
            state: ReplicaState::new(host.limits()),
            host,
            reader: None,
            doubt: None,
            vigil: Vigil::default(),
            buffer: Vec::with_capacity(journal.max_payload_bytes() as usize),
            journal,
        }
    }

    /// Takes the reader. When it is first needed, `begin` makes it.
    fn take_reader(&mut self, begin: fn(SharedJournal) -> SharedReader) -> SharedReader {
        self.reader.take().unwrap_or_else(|| {
            self.vigil.begin_reading();
            let reader = begin(self.journal);
            if reader.position() == 0 {
                self.state.begin_whole();
            }
            reader
        })
    }

    /// Returns the service.
    pub fn service(&self) -> &Service {
        &self.state.checkpointed.service
    }

    /// Returns the records that the programs of a Linux appended.
    pub fn records(&self) -> &RecentRecords {
        &self.state.records
    }

    /// Returns the journal.
    pub fn journal(&self) -> SharedJournal {
        self.journal
    }

    /// Returns the connections.
    pub fn flows(&self) -> &Flows {
        &self.state.checkpointed.flows
    }

    /// Applies some of what the primary has applied. A waiting backup calls it. Once its state cannot be the primary's
    /// any more, it reads nothing further and says so each time.
    pub fn follow(&mut self) -> SeatStatus {
        if let Some(doubt) = &self.doubt {
            return doubt.status();
        }
        self.reopen_if_missalted();
        let mut reader = self.take_reader(Reader::begin);
        self.vigil.keep_consumed(&self.host, reader.position());
        let mut status = self.follow_with(&mut reader);
        let is_astray = reader.is_astray();
        if let Some(doubt) =
            self.vigil
                .note_astray(is_astray, self.host.now_ns(), reader.position())
        {
            status = self.doubt.insert(doubt).status();
        }
        // If the cursors lead a backup astray before its state is whole, it begins again, at the checkpoint that the
        // primary has written since.
        if status == SeatStatus::Filling && is_astray {
            self.state.clear();
        } else {
            self.reader = Some(reader);
        }
        status
    }

    /// Opens the journal anew and begins again, if the salt was overwritten when this backup opened it: with a wrong
    /// one every record is damage. The monitor restores the salt.
    fn reopen_if_missalted(&mut self) {
        if !self.state.is_whole() && self.journal.salt() != salt(&self.host) {
            self.journal = open_journal(&self.host);
            self.reader = None;
            self.state.clear();
        }
    }

    fn follow_with(&mut self, reader: &mut SharedReader) -> SeatStatus {
        let control = self.host.region().control;
        // Read the epoch in each step: the primary may have been restarted in a new one.
        let epoch = control.epoch.current();
        // Only a ready backup compares: one that is being filled has a journal to catch up with.
        let compares = control.protection.state() == ProtectionState::Armed;
        for _ in 0..RECORDS_PER_STEP {
            let before = reader.position();
            let mut doubted = None;
            match reader.next(epoch, &mut self.buffer) {
                // What the primary applied, and this backup cannot, is lost to it. A backup that is still being filled
                // discards its state and waits for the next checkpoint; a ready one is to be replaced.
                Next::Record(record) => {
                    if let Err(doubt) = self.state.replay(&record, &self.host) {
                        log_finding(&doubt);
                        doubted = Some(doubt);
                    } else if compares
                        && record.epoch == epoch
                        && let Err(doubt) = self.state.compare(&record)
                    {
                        log_finding(&doubt);
                        doubted = Some(doubt);
                    }
                }
                // A reader that is led astray by the cursors does not move, frees nothing and misses nothing.
                Next::Finding(finding) => {
                    log_damage(&finding);
                    let (position, what) = (finding.from, finding.to_string());
                    doubted = finding
                        .was_applied
                        .then_some(Doubt::Damaged { position, what });
                }
                Next::Searching => {}
                Next::End if self.state.is_whole() => return SeatStatus::Idle,
                Next::End => return SeatStatus::Filling,
            }
            if reader.position() != before {
                self.vigil.mark_consumed(&self.journal, reader.position());
            }
            note_backup_progress(&self.host);
            match doubted {
                None => {}
                Some(_)
                    if control.protection.state() == ProtectionState::Filling
                        && self.vigil.may_discard(self.state.has_begun()) =>
                {
                    self.state.clear();
                }
                Some(doubt) => return self.doubt.insert(doubt).status(),
            }
        }
        SeatStatus::More
    }

    /// Applies the rest of the journal, whole records only, and resumes the journal behind it. `epoch` is that of the
    /// new primary, which then commits a record of its own before any other.
    ///
    /// The first primary of a machine has read nothing yet, so it reads everything. If a part of the state is
    /// missing, the state is lost and the service begins empty.
    pub fn recover(&mut self, epoch: u64) -> RecoverySummary {
        let mut summary = RecoverySummary::default();
        let mut reader = self.take_reader(Reader::begin_recovery);
        if let Some(doubt) = self.doubt.take() {
            // The primary died before this backup could be replaced.
            self.settle(&doubt, &mut reader, &mut summary);
        }
        let mut recovery = reader.recover(epoch.saturating_sub(1));
        let applying = &self.host.region().control.journal.applying;
        let killer = applying
            .settle()
            .filter(|suspect| suspect.deaths > RETRIES)
            .map(|suspect| suspect.position);
        loop {
            match recovery.next(&mut self.buffer) {
                Next::Record(mut record) => {
                    if killer == Some(record.position) {
                        skip(self.journal, &mut record, &mut summary);
                    }
                    applying.begin(record.position);
                    let replayed = self.state.replay(&record, &self.host);
                    applying.end();
                    if let Err(doubt) = replayed
                        && summary.note(doubt.to_string())
                    {
                        log_finding(&doubt);
                    }
                    summary.records += 1;
                }
                Next::Finding(finding) => {
                    // Later readers, to whom all of this counts as applied, would take the gap for damage.
                    recovery.close(&finding, RawKind::FILLER);
                    if summary.note(finding.to_string()) {
                        log_damage(&finding);
                    }
                }
                Next::Searching => {}
                Next::End => break,
            }
            self.host.advance();
        }
        applying.absolve();
        let is_whole = self.state.is_whole();
        if !is_whole {
            let loss = "the journal does not hold the whole state";
            let reason = loss.into();
            log::error!("{}", StateLost { reason });
            summary.note(loss.to_string());
            self.state.clear();
            self.state.begin_whole();
        }
        match is_whole && recovery.is_intact() {
            true => self.journal.resume(recovery.resume_position()),
            false => self.journal.restart(recovery.resume_position()),
        }
        summary
    }

    /// Chooses what the state is made from, when it cannot be that of the primary, which is dead: from the journal
    /// anew, if that has a whole state without the damage. Otherwise the state goes on as it is, and lacks something.
    fn settle(&mut self, doubt: &Doubt, reader: &mut SharedReader, summary: &mut RecoverySummary) {
        summary.note(doubt.to_string());
        let beginning = self.journal.beginning();
        match beginning.filter(|beginning| doubt.is_settled_from(*beginning)) {
            Some(beginning) => {
                log::warn!("the state is read anew from position {beginning}: {doubt}");
                self.state.clear();
                if beginning == 0 {
                    self.state.begin_whole();
                }
                *reader = Reader::new(self.journal, beginning);
            }
            None => log::error!("the state goes on without what is missing: {doubt}"),
        }
    }

    /// Returns the part of the state that a checkpoint contains.
    pub fn checkpointed_mut(&mut self) -> &mut CheckpointedState {
        &mut self.state.checkpointed
    }

    /// Encodes the payload of the record that is committed next.
    pub fn compose(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.clear();
        encode(&mut self.buffer);
    }

    /// Returns the composed payload.
    pub(crate) fn composed(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns whether a checkpoint was ordered since the last call, for tests.
    pub(crate) fn take_checkpoint_order(&mut self) -> bool {
        self.state.take_checkpoint_order()
    }

    /// Applies the input that was just committed.
    pub fn apply(&mut self, record: &InputRecord<'_>) {
        self.state.apply(record, &self.host);
    }

    /// Goes through a part of the state, for a digest.
    pub(crate) fn examine(&mut self, step: &DigestStep) -> Examined {
        self.state.examine(step)
    }

    /// Checks the reply to the canary of this number, which was the last input.
    pub(crate) fn check_canary(&self, number: u64) -> Result<(), CanaryError> {
        self.state.check_canary(number)
    }

    /// Applies the fact that was just committed.
    pub fn apply_fact(&mut self, fact: &Fact) {
        self.state.apply_fact(fact);
    }

    /// Applies the status that was just committed.
    pub fn set_status(&mut self, status: HostStatus) {
        self.state.checkpointed.service.set_status(status);
    }

    /// Returns the stamp of a record at `now_ms`. Time never goes backwards, not even over a takeover.
    pub fn stamp(&self, now_ms: u64, entropy: u64) -> Stamp {
        Stamp {
            time_ms: now_ms.max(self.state.checkpointed.last_time_ms),
            entropy,
        }
    }
}

/// Changes a record that has stopped too many kernels, so that every reader from now on skips it.
fn skip(journal: SharedJournal, record: &mut Record<'_>, summary: &mut RecoverySummary) {
    let (what, kernels) = (describe(record), RETRIES + 1);
    summary.note(format!("{what} stopped {kernels} kernels and is skipped"));
    let record_skipped = RecordSkipped {
        position: record.position,
        what: Text::of(what),
        kernels,
    };
    log::error!("{record_skipped}");
    journal.relabel(record, record.kind.skipped());
    record.kind = record.kind.skipped();
}

/// Describes a record, for people.
fn describe(record: &Record<'_>) -> String {
    let (position, RawKind(kind)) = (record.position, record.kind);
    match InputRecord::decode(record.payload) {
        Ok(InputRecord {
            input: Input::Bytes { connection, bytes },
            ..
        }) if record.kind.known() == Some(RecordKind::Input) => {
            let excerpt = bytes[..bytes.len().min(EXCERPT_BYTES)].escape_ascii();
            format!(
                "the record at position {position} (input on connection {connection}: '{excerpt}')"
            )
        }
        _ => format!("the record at position {position} (kind {kind})"),
    }
}
