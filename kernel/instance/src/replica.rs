//! The replica: the service's state, and the journal it is made from.
//!
//! A backup follows: it applies what the primary has applied. On its promotion it recovers: it applies the rest of the journal, as far as it
//! is whole. A primary commits: it appends a record and then applies it. All three are the same function of the same records.

use alloc::string::ToString;
use alloc::vec::Vec;

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};

use journal::{AppendError, Cursors, Finding, Journal, Kind, Next, Reader};
use network::{Fact, Flows};
use service::{
    ConnectionId, DebugCommand, Host, HostStatus, Input, Limits, Record, Service, Stamp,
};
use sharedmem::abi::{
    RECORD_KIND_APPLICATION, RECORD_KIND_CHECKPOINT, RECORD_KIND_CONNECTION, RECORD_KIND_INPUT,
    RECORD_KIND_STATUS, SeatStatus,
};
use web::{Records, Recovered};

use crate::checkpoint::{Hearing, Told};
use crate::context::{self, Context};
use crate::script::CONSOLE_CONNECTION;

/// Kind of a journal record that holds input to the service.
pub const KIND_INPUT: Kind = Kind(RECORD_KIND_INPUT);

/// Kind of a journal record that tells of a connection.
pub const KIND_CONNECTION: Kind = Kind(RECORD_KIND_CONNECTION);

/// Kind of a journal record that holds the primary's status.
pub const KIND_STATUS: Kind = Kind(RECORD_KIND_STATUS);

/// Kind of a journal record that tells a new backup the state.
pub const KIND_CHECKPOINT: Kind = Kind(RECORD_KIND_CHECKPOINT);

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
pub struct State {
    /// Keys, values, and what clients have begun.
    pub service: Service,
    /// What programs had told the journal while a Linux was the primary.
    records: Records,
    /// The connections.
    pub flows: Flows,
    /// Time of the newest record.
    pub last_time_ms: u64,
    /// Whether that is all, or still to be told by the primary.
    hearing: Hearing,
    limits: Limits,
    owed_bytes_max: usize,
}

/// What a record does outside the replica, where it is applied for the first time.
pub trait Outside {
    /// Prints a reply to the console.
    fn print(&mut self, bytes: &[u8]);
    /// Injects a fault.
    fn debug(&mut self, command: DebugCommand);
    /// Counts work.
    fn progress(&mut self);
}

/// The world outside while a record is replayed. Its reply was printed, or never will be; a fault was injected once.
struct Nobody;

impl Outside for Nobody {
    fn print(&mut self, _: &[u8]) {}
    fn debug(&mut self, _: DebugCommand) {}
    fn progress(&mut self) {
        context::get().note_seat_progress();
    }
}

/// Replies go to the flows, wherever they are made: there they wait until the client has them.
struct Inside<'a, O> {
    flows: &'a mut Flows,
    outside: &'a mut O,
}

impl<O: Outside> Host for Inside<'_, O> {
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        // Replies are handed over in pieces, so this is progress however long they are.
        self.outside.progress();
        if connection == CONSOLE_CONNECTION {
            self.outside.print(bytes);
        } else {
            self.flows.reply(connection, bytes);
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.flows.hang_up(connection);
    }

    fn debug(&mut self, command: DebugCommand) {
        self.outside.debug(command);
    }

    fn progress(&mut self) {
        self.outside.progress();
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
            max_clients: shares.connections,
            debug: context.options.debug,
            ..Limits::default()
        };
        let journal = open_journal(context);
        let cursors = journal.cursors();
        // Who comes later has to be told what was before.
        let hearing = match cursors == NOTHING_WRITTEN {
            true => Hearing::Whole,
            false => Hearing::Waiting,
        };
        let owed_bytes_max = shares.owed_bytes as usize;
        Self {
            state: State {
                service: Service::new(limits.clone()),
                records: Records::new(shares.records_bytes as usize),
                flows: Flows::new(owed_bytes_max),
                last_time_ms: 0,
                hearing,
                limits,
                owed_bytes_max,
            },
            reader: Some(Reader::new(journal, cursors.applied)),
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

    /// The connections.
    pub fn flows(&self) -> &Flows {
        &self.state.flows
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
                Next::End => return self.idle_status(),
            }
            if reader.position() != before {
                self.journal.mark_consumed(reader.position());
            }
            context::get().note_seat_progress();
        }
        SeatStatus::More
    }

    /// What a backup says that has read everything.
    pub fn idle_status(&self) -> SeatStatus {
        match self.state.hearing.is_whole() {
            true => SeatStatus::Idle,
            false => SeatStatus::Filling,
        }
    }

    /// Applies the rest of the journal that the dead primary left, whole records only, and begins a new journal behind it. `epoch` is
    /// that of the new owner.
    pub fn recover(&mut self, epoch: u64) -> Recovered {
        let mut summary = Recovered::default();
        let Some(reader) = self.reader.take() else {
            return summary;
        };
        // Who is the owner has all there is.
        self.state.hearing = Hearing::Whole;
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

    /// The state, to be told.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Composes the payload of a record, to be committed.
    pub fn compose(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.clear();
        encode(&mut self.buffer);
    }

    /// Appends the payload that was composed to the journal. When it returns, the record is committed; it ends at the position returned.
    ///
    /// # Errors
    /// The journal is full, or damaged.
    pub fn commit(&mut self, epoch: u64, kind: Kind) -> Result<u64, AppendError> {
        self.journal
            .append(epoch, kind, &[&self.buffer])
            .map(|appended| appended.end)
    }

    /// Applies the input just committed.
    pub fn apply(&mut self, record: &Record<'_>, outside: &mut impl Outside) {
        self.state.apply(record, outside);
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

impl State {
    /// Takes in what a record of the journal holds.
    fn replay(&mut self, record: &journal::Record<'_>) {
        match record.kind {
            KIND_CHECKPOINT => self.hear(record.payload),
            _ if !self.hearing.is_whole() => {}
            KIND_INPUT => match Record::decode(record.payload) {
                Ok(record) => self.apply(&record, &mut Nobody),
                Err(error) => not_understood(&error),
            },
            KIND_CONNECTION => match Fact::decode(record.payload) {
                Ok(fact) => self.apply_fact(&fact),
                Err(error) => not_understood(&error),
            },
            KIND_STATUS => match HostStatus::decode(record.payload) {
                Ok(status) => self.service.learn(status),
                Err(error) => not_understood(&error),
            },
            KIND_APPLICATION => self
                .records
                .keep(record.position, record.epoch, record.payload),
            Kind(kind) => log::error!(
                "event=finding what=\"the record at position {} is of kind {kind}, which this version does not know\"",
                record.position
            ),
        }
    }

    /// Takes in what a checkpoint's record tells.
    fn hear(&mut self, payload: &[u8]) {
        let (limits, owed_bytes_max) = (&self.limits, self.owed_bytes_max);
        let step = &mut || context::get().note_seat_progress();
        match self.hearing.hear(payload, limits, owed_bytes_max, step) {
            Ok(None) => {}
            Ok(Some(told)) => {
                let Told {
                    service,
                    flows,
                    last_time_ms,
                } = told;
                (self.service, self.flows) = (service, flows);
                self.last_time_ms = last_time_ms;
            }
            Err(error) => log::error!("event=finding what=\"{error}; it has to begin again\""),
        }
    }

    /// Applies input: to the connection it came in on, and to the service.
    fn apply(&mut self, record: &Record<'_>, outside: &mut impl Outside) {
        self.last_time_ms = self.last_time_ms.max(record.stamp.time_ms);
        let Self { flows, service, .. } = self;
        match record.input {
            Input::Open { connection, .. } => flows.opened(connection),
            Input::Bytes { connection, bytes } => flows.received(connection, bytes.len()),
            Input::Close { connection } => flows.closed(connection),
            Input::Tick => {}
        }
        service.apply(record, &mut Inside { flows, outside });
    }

    /// Applies a fact about a connection.
    fn apply_fact(&mut self, fact: &Fact) {
        if let Err(error) = self.flows.apply(fact) {
            log::error!("event=finding what=\"{error}\"");
        }
    }
}

/// A record is whole, and its payload is nothing this version knows.
fn not_understood(error: &dyn Error) {
    log::error!("event=finding what=\"a record that is whole but not understood: {error}\"");
}

fn note_finding(summary: &mut Recovered, finding: &Finding) {
    summary.finding_count += 1;
    if summary.findings.len() < FINDINGS_TOLD_MAX {
        summary.findings.push(finding.to_string());
    }
}
