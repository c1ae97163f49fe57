//! The replica: the service's state, and the journal it is made from.
//!
//! A backup follows: it applies what the primary has applied. On its promotion it recovers: it applies the rest of the journal, as far as it
//! is whole. A primary commits: it appends a record and then applies it. All three are the same function of the same records.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use core::sync::atomic::{AtomicU64, Ordering};

use journal::{AppendError, Cursors, Finding, Journal, Kind, Next, Reader};
use service::{
    ConnectionId, DebugCommand, Host, HostStatus, Input, Limits, Record, Service, Stamp,
};
use sharedmem::abi::{RECORD_KIND_APPLICATION, RECORD_KIND_INPUT, SeatStatus};
use web::{Records, Recovered};

use crate::context::{self, Context};
use crate::network::Peer;

/// Kind of a journal record that holds input to the service.
pub const KIND_INPUT: Kind = Kind(RECORD_KIND_INPUT);

/// Kind of a journal record that a program of a Linux appended. It is nothing the service could apply.
const KIND_APPLICATION: Kind = Kind(RECORD_KIND_APPLICATION);

/// Records a backup applies before it lets the monitor look at the detector.
const RECORDS_PER_STEP: usize = 64;

/// The cursors of a journal that nobody has written to.
const NOTHING_WRITTEN: Cursors = Cursors {
    reserved: 0,
    applied: 0,
    consumed: 0,
};

/// Findings of a recovery that are told one by one.
const FINDINGS_TOLD_MAX: usize = 16;

/// The journal in the shared region.
pub type SharedJournal = Journal<'static, &'static [AtomicU64]>;

/// State and journal.
pub struct Replica {
    state: State,
    journal: SharedJournal,
    /// Where a backup stands; a primary has none.
    reader: Option<Reader<'static, &'static [AtomicU64]>>,
    buffer: Vec<u8>,
}

/// What the records make.
struct State {
    service: Service,
    /// What programs had told the journal while a Linux was the primary.
    records: Records,
    peers: BTreeMap<ConnectionId, Peer>,
    last_connection: ConnectionId,
    last_time_ms: u64,
}

/// Who listens while a record is replayed: nobody. Replies were sent, or never will be; faults were injected once.
struct Nobody;

impl Host for Nobody {
    fn reply(&mut self, _: ConnectionId, _: &[u8]) {}
    fn hang_up(&mut self, _: ConnectionId) {}
    fn debug(&mut self, _: DebugCommand) {}
    fn status(&self) -> HostStatus {
        HostStatus::default()
    }
    fn progress(&mut self) {
        context::get().note_seat_progress();
    }
}

/// The journal in `context`'s shared region.
pub fn open_journal(context: &Context) -> SharedJournal {
    let control = context.region.control;
    let salt = control.header.journal_salt.load(Ordering::Relaxed);
    Journal::salted(context.region.journal, &control.journal, salt, context.crc)
        .expect("the plan gives the journal its least size")
}

impl Replica {
    /// An empty state before the journal as it stands.
    pub fn new(context: &Context) -> Self {
        let shares = context.shares();
        let limits = Limits {
            max_memory_bytes: shares.store_bytes,
            max_pending_bytes: shares.pending_bytes as usize,
            max_request_bytes: (shares.pending_bytes as usize)
                .min(Limits::default().max_request_bytes),
            debug: context.options.debug,
            ..Limits::default()
        };
        let journal = open_journal(context);
        let service = Service::new(limits);
        Self {
            state: State {
                service,
                records: Records::new(shares.records_bytes as usize),
                peers: BTreeMap::new(),
                last_connection: 0,
                last_time_ms: 0,
            },
            reader: Some(Reader::new(journal, journal.cursors().consumed)),
            buffer: Vec::with_capacity(journal.max_payload_bytes() as usize),
            journal,
        }
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.state.service
    }

    /// Records that programs of a Linux had appended.
    pub fn records(&self) -> &Records {
        &self.state.records
    }

    /// The journal.
    pub fn journal(&self) -> SharedJournal {
        self.journal
    }

    /// The last number a connection had.
    pub fn last_connection(&self) -> ConnectionId {
        self.state.last_connection
    }

    /// Connections that are open in the journal, with their clients.
    pub fn peers(&self) -> impl Iterator<Item = (ConnectionId, Peer)> + '_ {
        self.state.peers.iter().map(|(id, peer)| (*id, *peer))
    }

    /// Applies some of what the primary has applied. For the waiting backup.
    pub fn follow(&mut self) -> SeatStatus {
        let Some(reader) = &mut self.reader else {
            return SeatStatus::Failed;
        };
        // That of the owner, which may have ended in order and been started again.
        let epoch = context::get().region.control.epoch.current();
        for _ in 0..RECORDS_PER_STEP {
            let before = reader.position();
            match reader.next(epoch, &mut self.buffer) {
                Next::Record(record) => self.state.replay(&record),
                // What is damaged below the primary's mark is lost to this backup and cannot be mended; the rest is still worth having. A
                // reader that is led astray by the cursors does not move, and frees nothing.
                Next::Finding(finding) => log::error!("event=finding what=\"{finding}\""),
                Next::End => return SeatStatus::Idle,
            }
            if reader.position() != before {
                self.journal.mark_consumed(reader.position());
            }
            context::get().note_seat_progress();
        }
        SeatStatus::More
    }

    /// Applies the rest of the journal that the dead primary left, whole records only, and begins a new journal behind it. `epoch` is
    /// that of the new owner.
    pub fn recover(&mut self, epoch: u64) -> Recovered {
        let mut summary = Recovered::default();
        let Some(reader) = self.reader.take() else {
            return summary;
        };
        if self.journal.cursors() == NOTHING_WRITTEN {
            // The first primary: its backup already waits at the journal's beginning.
            return summary;
        }
        let mut recovery = reader.recover(epoch.saturating_sub(1));
        loop {
            match recovery.next(&mut self.buffer) {
                Next::Record(record) => {
                    self.state.replay(&record);
                    summary.records += 1;
                }
                Next::Finding(finding) => note_finding(&mut summary, &finding),
                Next::End => break,
            }
        }
        self.journal.restart(recovery.resume_position());
        summary
    }

    /// Appends `input` to the journal. When it returns, the record is committed.
    ///
    /// # Errors
    /// The journal is full, or damaged.
    pub fn commit(
        &mut self,
        epoch: u64,
        stamp: Stamp,
        input: Input<'_>,
    ) -> Result<u64, AppendError> {
        self.buffer.clear();
        Record { stamp, input }.encode(&mut self.buffer);
        self.journal
            .append(epoch, KIND_INPUT, &[&self.buffer])
            .map(|appended| appended.end)
    }

    /// Applies the record just committed, which ends at `end`.
    pub fn apply(&mut self, stamp: Stamp, input: Input<'_>, end: u64, host: &mut impl Host) {
        let record = Record { stamp, input };
        self.state.note(&record);
        self.state.service.apply(&record, host);
        self.journal.mark_applied(end);
    }

    /// A stamp for a record at `now_ms`: time never goes back over a takeover.
    pub fn stamp(&self, now_ms: u64, entropy: u64) -> Stamp {
        Stamp {
            time_ms: now_ms.max(self.state.last_time_ms),
            entropy,
        }
    }
}

impl State {
    /// Takes in what a record of the journal holds.
    fn replay(&mut self, record: &journal::Record<'_>) {
        match record.kind {
            KIND_INPUT => self.apply_input(record.payload),
            KIND_APPLICATION => self
                .records
                .keep(record.position, record.epoch, record.payload),
            Kind(kind) => log::error!(
                "event=finding what=\"the record at position {} is of kind {kind}, which this version does not know\"",
                record.position
            ),
        }
    }

    /// Applies an encoded record with nobody listening.
    fn apply_input(&mut self, payload: &[u8]) {
        match Record::decode(payload) {
            Ok(record) => {
                self.note(&record);
                self.service.apply(&record, &mut Nobody);
            }
            Err(error) => log::error!(
                "event=finding what=\"a record that is whole but not understood: {error}\""
            ),
        }
    }

    /// Keeps what a record says about connections and time.
    fn note(&mut self, record: &Record<'_>) {
        self.last_time_ms = self.last_time_ms.max(record.stamp.time_ms);
        match record.input {
            Input::Open { connection, peer } => {
                self.last_connection = self.last_connection.max(connection);
                self.peers.insert(connection, peer);
            }
            Input::Close { connection } => {
                self.peers.remove(&connection);
            }
            Input::Bytes { .. } | Input::Tick => {}
        }
    }
}

fn note_finding(summary: &mut Recovered, finding: &Finding) {
    summary.finding_count += 1;
    if summary.findings.len() < FINDINGS_TOLD_MAX {
        summary.findings.push(finding.to_string());
    }
}
