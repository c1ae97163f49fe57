//! The replica: the service's state, and the journal it is made from.
//!
//! A backup follows: it applies what the primary has applied. On its promotion it recovers: it applies the rest of the journal, as far as it
//! is whole. A primary commits: it appends a record and then applies it. All three are the same function of the same records.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use journal::{AppendError, Finding, Journal, Limit, Next, Reader};
use service::{ConnectionId, DebugCommand, Host, HostStatus, Input, Limits, Record, Service, Stamp};
use sharedmem::abi::SeatStatus;

use crate::context::Context;
use crate::network::Peer;

/// Kind of a journal record that holds input to the service.
const KIND_INPUT: u16 = 1;

/// Records a backup applies before it lets the monitor look at the detector.
const RECORDS_PER_STEP: usize = 64;

/// Findings of a recovery that are told one by one.
const FINDINGS_TOLD_MAX: usize = 16;

/// State and journal.
pub struct Replica {
    service: Service,
    journal: Journal<'static>,
    reader: Reader,
    encoded: Vec<u8>,
    peers: BTreeMap<ConnectionId, Peer>,
    last_connection: ConnectionId,
    last_time_ms: u64,
}

/// What recovery found in the journal's tail.
#[derive(Default)]
pub struct Recovery {
    /// Records applied.
    pub records: u64,
    /// What was not whole, by name.
    pub findings: Vec<String>,
    /// How many findings there were.
    pub finding_count: u64,
}

/// Who listens while a record is replayed: nobody. Replies were sent, or never will be; faults were injected once.
struct Nobody;

impl Host for Nobody {
    fn reply(&mut self, _: ConnectionId, _: &[u8]) {}
    fn hang_up(&mut self, _: ConnectionId) {}
    fn debug(&mut self, _: DebugCommand<'_>) {}
    fn status(&self) -> HostStatus {
        HostStatus::default()
    }
    fn progress(&mut self) {
        crate::seat::advance();
    }
}

impl Replica {
    /// An empty state before an empty journal.
    pub fn new(context: &Context) -> Self {
        let limits = Limits {
            max_memory_bytes: context.hand_off.service_memory_bytes,
            debug: context.options.debug,
            ..Limits::default()
        };
        let control = context.region.control;
        let salt = control.header.journal_salt.load(core::sync::atomic::Ordering::Relaxed);
        let journal = Journal::new(context.region.journal, &control.journal, salt, context.crc);
        Self {
            service: Service::new(limits),
            reader: Reader::new(journal.consumed()),
            journal,
            encoded: Vec::new(),
            peers: BTreeMap::new(),
            last_connection: 0,
            last_time_ms: 0,
        }
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The journal.
    pub fn journal(&self) -> &Journal<'static> {
        &self.journal
    }

    /// The last number a connection had.
    pub fn last_connection(&self) -> ConnectionId {
        self.last_connection
    }

    /// Connections that are open in the journal, with their clients.
    pub fn peers(&self) -> impl Iterator<Item = (ConnectionId, Peer)> + '_ {
        self.peers.iter().map(|(id, peer)| (*id, *peer))
    }

    /// Applies some of what the primary has applied. For the waiting backup.
    pub fn follow(&mut self) -> SeatStatus {
        for _ in 0..RECORDS_PER_STEP {
            match self.reader.next(&self.journal, Limit::Applied, &mut self.encoded) {
                Next::Record(record) => {
                    let end = record.end;
                    self.apply_encoded();
                    self.journal.mark_consumed(end);
                    crate::seat::advance();
                }
                // What is damaged below the primary's mark is lost to this backup and cannot be mended; the rest is still worth having.
                Next::Found(finding) => {
                    log::error!("event=finding what=\"{finding}\"");
                    self.journal.mark_consumed(self.reader.position());
                }
                Next::End => return SeatStatus::Idle,
            }
        }
        SeatStatus::More
    }

    /// Applies the rest of the journal, whole records only, and makes its end the beginning of what comes. For the new primary.
    pub fn recover(&mut self) -> Recovery {
        let mut recovery = Recovery::default();
        loop {
            match self.reader.next(&self.journal, Limit::Reserved, &mut self.encoded) {
                Next::Record(_) => {
                    self.apply_encoded();
                    recovery.records += 1;
                }
                Next::Found(finding) => recovery.note(&finding),
                Next::End => break,
            }
        }
        self.journal.restart_at(self.reader.position());
        recovery
    }

    /// Applies the record whose payload is in `encoded`.
    fn apply_encoded(&mut self) {
        let encoded = core::mem::take(&mut self.encoded);
        match Record::decode(&encoded) {
            Ok(record) => {
                self.note(&record);
                self.service.apply(&record, &mut Nobody);
            }
            Err(error) => log::error!("event=finding what=\"record not understood: {error}\""),
        }
        self.encoded = encoded;
    }

    /// Appends `input` to the journal. When it returns, the record is committed.
    ///
    /// # Errors
    /// The journal is full, or damaged.
    pub fn commit(&mut self, epoch: u64, stamp: Stamp, input: Input<'_>) -> Result<u64, AppendError> {
        self.encoded.clear();
        Record { stamp, input }.encode(&mut self.encoded);
        self.journal.append(epoch, KIND_INPUT, &[&self.encoded]).map(|appended| appended.end)
    }

    /// Applies the record just committed, which ends at `end`.
    pub fn apply(&mut self, stamp: Stamp, input: Input<'_>, end: u64, host: &mut impl Host) {
        let record = Record { stamp, input };
        self.note(&record);
        self.service.apply(&record, host);
        self.journal.mark_applied(end);
    }

    /// A stamp for a record at `now_ms`: time never goes back over a takeover.
    pub fn stamp(&self, now_ms: u64, entropy: u64) -> Stamp {
        Stamp { time_ms: now_ms.max(self.last_time_ms), entropy }
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

impl Recovery {
    fn note(&mut self, finding: &Finding) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_TOLD_MAX {
            self.findings.push(finding.to_string());
        }
    }
}
