//! The replica: the service's state, and the journal it is made from.
//!
//! A backup follows: it reads from where the journal makes the whole state, as far as the primary has applied it. Who becomes the primary recovers: it
//! reads the rest, as far as it is whole. A primary commits: it appends a record and then applies it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use core::mem;

use journal::{AppendError, Appended, Journal, Kind, Next, Reader, RecentRecords, RecoverySummary};
use network::{Fact, Flows};
use service::{HostStatus, Input, InputRecord, Service, Stamp};
use sharedmem::RecordKind;
use sharedmem::abi::SeatStatus;
use sharedmem::event::{RecordSkipped, StateLost, Text};
use sharedmem::protection::ProtectionState;
use sharedmem::sync::{AtomicU64, Ordering};

use crate::host::Host;
use crate::state::{ReplicaState, note_seat_progress, report_damage};

/// Records a backup applies before it lets the monitor look at the detector.
const RECORDS_PER_STEP: usize = 64;

/// How often a record is tried again that a kernel stopped in.
const RETRIES: u64 = 1;

/// Bytes of a record's content that are told.
const EXCERPT_BYTES: usize = 80;

/// The journal in the shared region.
pub type SharedJournal = Journal<'static, &'static [AtomicU64]>;

type SharedReader = Reader<'static, &'static [AtomicU64]>;

/// State and journal.
pub struct Replica<S> {
    host: S,
    state: ReplicaState,
    journal: SharedJournal,
    /// Where a backup stands that has begun to read; a primary has none.
    reader: Option<SharedReader>,
    /// Damage that it met while it waited, since its state was whole.
    met: RecoverySummary,
    buffer: Vec<u8>,
}

/// Returns the journal in the region that the host share.
///
/// # Panics
/// The ring is smaller than the least that a plan gives it.
pub fn open_journal(host: &impl Host) -> SharedJournal {
    let region = host.region();
    let control = region.control;
    let salt = control.header.journal_salt.load(Ordering::Relaxed);
    Journal::salted(region.journal, &control.journal, salt, host.crc())
        .expect("the plan gives the journal its least size")
}

impl<S: Host> Replica<S> {
    /// An empty state, with nothing read yet.
    pub fn new(host: S) -> Self {
        let journal = open_journal(&host);
        Self {
            state: ReplicaState::new(host.limits()),
            host,
            reader: None,
            met: RecoverySummary::default(),
            buffer: Vec::with_capacity(journal.max_payload_bytes() as usize),
            journal,
        }
    }

    /// Returns the reader; it is made when it is first needed.
    fn reader(&mut self) -> SharedReader {
        self.reader.take().unwrap_or_else(|| {
            let reader = Reader::begin(self.journal);
            if reader.position() == 0 {
                self.state.begin_whole();
            }
            reader
        })
    }

    /// Returns the service.
    pub fn service(&self) -> &Service {
        &self.state.service
    }

    /// Records that programs of a Linux had appended.
    pub fn records(&self) -> &RecentRecords {
        &self.state.records
    }

    /// Returns the journal.
    pub fn journal(&self) -> SharedJournal {
        self.journal
    }

    /// Returns the connections.
    pub fn flows(&self) -> &Flows {
        &self.state.flows
    }

    /// Applies some of what the primary has applied. For the waiting backup.
    pub fn follow(&mut self) -> SeatStatus {
        let mut reader = self.reader();
        let status = self.follow_with(&mut reader);
        // A backup that is led astray before its state is whole begins anew, where the owner has told the state since.
        if status == SeatStatus::Filling && reader.is_astray() {
            self.state.clear();
        } else {
            self.reader = Some(reader);
        }
        status
    }

    fn follow_with(&mut self, reader: &mut SharedReader) -> SeatStatus {
        // That of the owner, which may have ended in order and been started again.
        let control = self.host.region().control;
        let epoch = control.epoch.current();
        for _ in 0..RECORDS_PER_STEP {
            let before = reader.position();
            match reader.next(epoch, &mut self.buffer) {
                Next::Record(record) => self.state.replay(&record, &self.host),
                // What is damaged below the primary's mark is lost to this backup. One that still gets ready is told the state anew; for one
                // that waits the rest is still worth having. A reader that is led astray by the cursors does not move, and frees nothing.
                Next::Finding(finding) => {
                    report_damage(&finding);
                    self.met.note(finding.to_string());
                    if control.protection.state() == ProtectionState::Filling {
                        self.state.clear();
                        self.met = RecoverySummary::default();
                    }
                }
                Next::End if self.state.is_whole() => return SeatStatus::Idle,
                Next::End => return SeatStatus::Filling,
            }
            if reader.position() != before {
                self.journal.mark_consumed(reader.position());
            }
            note_seat_progress(&self.host);
        }
        SeatStatus::More
    }

    /// Applies the rest of the journal that was left, whole records only, and goes on behind it. `epoch` is that of the new owner, who then
    /// [commits](Self::commit) a record of its own before any other.
    ///
    /// A machine's first primary has read nothing yet: it reads all of it. What is told of the state may be damaged; then the state is empty.
    pub fn recover(&mut self, epoch: u64) -> RecoverySummary {
        // What is missing since it waited is missing still: it is told, and the state is told anew, like what is found now.
        let mut summary = mem::take(&mut self.met);
        let mut recovery = self.reader().recover(epoch.saturating_sub(1));
        let applying = &self.host.region().control.journal.applying;
        let killer = applying
            .settle()
            .filter(|suspect| suspect.deaths > RETRIES)
            .map(|suspect| suspect.position);
        loop {
            match recovery.next(&mut self.buffer) {
                Next::Record(mut record) => {
                    if killer == Some(record.position) {
                        let (what, kernels) = (what_is(&record), RETRIES + 1);
                        summary.note(format!("{what} stopped {kernels} kernels and is skipped"));
                        let record_skipped = RecordSkipped {
                            position: record.position,
                            what: Text::of(what),
                            kernels,
                        };
                        log::error!("{record_skipped}");
                        self.journal.relabel(&record, record.kind.skipped());
                        record.kind = record.kind.skipped();
                    }
                    applying.begin(record.position);
                    self.state.replay(&record, &self.host);
                    applying.end();
                    summary.records += 1;
                }
                Next::Finding(finding) => {
                    // Who reads this later, when all of it counts as applied, would take it for damage.
                    recovery.close(&finding, Kind::FILLER);
                    if summary.note(finding.to_string()) {
                        report_damage(&finding);
                    }
                }
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

    /// Returns the state, to be told.
    pub fn state_mut(&mut self) -> &mut ReplicaState {
        &mut self.state
    }

    /// Composes the payload of a record, to be committed.
    pub fn compose(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.clear();
        encode(&mut self.buffer);
    }

    /// Appends the payload that was composed to the journal. When it returns, the record is committed.
    ///
    /// # Errors
    /// The journal is full, or damaged.
    pub fn commit(&mut self, epoch: u64, kind: RecordKind) -> Result<Appended, AppendError> {
        self.journal.append(epoch, kind.into(), &[&self.buffer])
    }

    /// Applies the input just committed.
    pub fn apply(&mut self, record: &InputRecord<'_>) {
        self.state.apply(record, &self.host);
    }

    /// Applies the fact just committed.
    pub fn apply_fact(&mut self, fact: &Fact) {
        self.state.apply_fact(fact);
    }

    /// Takes in the status just committed.
    pub fn learn(&mut self, status: HostStatus) {
        self.state.service.learn(status);
    }

    /// A stamp for a record at `now_ms`: time never goes back over a takeover.
    pub fn stamp(&self, now_ms: u64, entropy: u64) -> Stamp {
        Stamp {
            time_ms: now_ms.max(self.state.last_time_ms),
            entropy,
        }
    }
}

/// A record, for people.
fn what_is(record: &journal::Record<'_>) -> String {
    let (position, Kind(kind)) = (record.position, record.kind);
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
