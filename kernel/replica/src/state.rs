//! The service's state as the journal's records make it. A backup that follows, a new primary that recovers and a primary that commits all
//! apply the same records in the same way.

use core::error::Error;
use core::fmt::Display;
use core::sync::atomic::Ordering;

use journal::{Finding, Kind, RecentRecords};
use network::{Fact, Flows};
use service::{
    ConnectionId, DebugCommand, HostStatus, Input, InputRecord, OperatorCommand, Service,
};
use sharedmem::RecordKind;
use sharedmem::event::{self, Text};

use crate::checkpoint::{CheckpointReader, RestoredState};
use crate::host::{Host, ReplicaLimits};

/// The connection that the console's commands come in on.
pub const CONSOLE_CONNECTION: ConnectionId = 0;

/// What the records make.
pub struct ReplicaState {
    /// Keys, values, and what clients have begun.
    pub service: Service,
    /// What programs had told the journal while a Linux was the primary.
    pub records: RecentRecords,
    /// The connections.
    pub flows: Flows,
    /// Time of the newest record.
    pub last_time_ms: u64,
    /// Whether that is all, or still to be told by the primary.
    checkpoint: CheckpointReader,
    limits: ReplicaLimits,
}

/// The world outside, while a record is applied for the first time or replayed. Of a replayed one the reply was printed, or never will be; a
/// fault was injected once; the monitor was asked.
struct Outside<'s, S> {
    host: &'s S,
    is_replayed: bool,
}

impl<S: Host> Outside<'_, S> {
    /// Counts work, for whoever watches this kernel: as a primary, or on the seat.
    fn progress(&self) {
        if self.is_replayed {
            note_seat_progress(self.host);
        }
        self.host.advance();
    }

    fn print(&self, bytes: &[u8]) {
        if !self.is_replayed {
            self.host.print(bytes);
        }
    }

    fn debug(&self, command: DebugCommand) {
        match self.is_replayed {
            false => self.host.debug(command),
            true if command == DebugCommand::Poison => panic!("DEBUG POISON"),
            true => {}
        }
    }

    fn operate(&self, command: OperatorCommand<'_>) {
        if !self.is_replayed {
            self.host.operate(command);
        }
    }
}

/// Returns the backup works: a count for the monitor, which ends a call that stands still.
pub(crate) fn note_seat_progress(host: &impl Host) {
    let progress = &host.region().control.backup.progress;
    progress.fetch_add(1, Ordering::Relaxed);
}

/// Replies go to the flows, wherever they are made: there they wait until the client has them.
struct Inside<'a, S> {
    flows: &'a mut Flows,
    outside: Outside<'a, S>,
}

impl<S: Host> service::Host for Inside<'_, S> {
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

    fn operate(&mut self, command: OperatorCommand<'_>) {
        self.outside.operate(command);
    }

    fn progress(&mut self) {
        self.outside.progress();
    }
}

impl ReplicaState {
    /// An empty state, of which nothing is known: a checkpoint has to come first.
    pub fn new(limits: ReplicaLimits) -> Self {
        Self {
            service: Service::new(limits.service.clone()),
            records: RecentRecords::new(limits.records_bytes_max),
            flows: Flows::new(limits.unacked_bytes_max),
            last_time_ms: 0,
            checkpoint: CheckpointReader::Waiting,
            limits,
        }
    }

    /// Returns whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.checkpoint.is_whole()
    }

    /// Nothing came before: an empty state is the whole one.
    pub fn begin_whole(&mut self) {
        self.checkpoint = CheckpointReader::Whole;
    }

    /// Forgets everything: a checkpoint has to come.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits.clone());
    }

    /// Takes in what a record of the journal holds.
    pub fn replay(&mut self, record: &journal::Record<'_>, host: &impl Host) {
        match record.kind.known() {
            Some(RecordKind::Checkpoint) => self.read_checkpoint(record.payload, host),
            Some(RecordKind::Epoch) => {}
            _ if !self.checkpoint.is_whole() => {}
            Some(RecordKind::Input) => match InputRecord::decode(record.payload) {
                Ok(record) => self.enter(&record, host, true),
                Err(error) => not_understood(&error),
            },
            Some(RecordKind::Connection) => match Fact::decode(record.payload) {
                Ok(fact) => self.apply_fact(&fact),
                Err(error) => not_understood(&error),
            },
            Some(RecordKind::Status) => match HostStatus::decode(record.payload) {
                Ok(status) => self.service.learn(status),
                Err(error) => not_understood(&error),
            },
            Some(RecordKind::Application) => {
                self.records
                    .keep(record.position, record.epoch, record.payload)
            }
            None if record.kind.is_skipped() => self.pass_over(record, host),
            None => report_finding(format_args!(
                "the record at position {} is of kind {}, which this version does not know",
                record.position, record.kind.0
            )),
        }
    }

    /// Takes in what a checkpoint's record tells.
    fn read_checkpoint(&mut self, payload: &[u8], host: &impl Host) {
        let step = &mut || note_seat_progress(host);
        match self.checkpoint.read(payload, &self.limits, step) {
            Ok(None) => {}
            Ok(Some(told)) => {
                let RestoredState {
                    service,
                    flows,
                    last_time_ms,
                } = told;
                (self.service, self.flows) = (service, flows);
                self.last_time_ms = last_time_ms;
            }
            Err(error) => report_finding(format_args!("{error}; it has to begin again")),
        }
    }

    /// Applies input for the first time: to the connection it came in on, and to the service.
    pub fn apply(&mut self, record: &InputRecord<'_>, host: &impl Host) {
        self.enter(record, host, false);
    }

    fn enter(&mut self, record: &InputRecord<'_>, host: &impl Host, is_replayed: bool) {
        self.arrive(record);
        let (service, mut inside) = self.inside(host, is_replayed);
        service.apply(record, &mut inside);
    }

    /// Takes in a record that stopped two owners: whoever sent it is told so.
    fn pass_over(&mut self, record: &journal::Record<'_>, host: &impl Host) {
        if record.kind != Kind::from(RecordKind::Input).skipped() {
            return;
        }
        if let Ok(record) = InputRecord::decode(record.payload) {
            self.arrive(&record);
            let (service, mut inside) = self.inside(host, true);
            service.refuse(&record, &mut inside);
        }
    }

    fn inside<'a, S: Host>(
        &'a mut self,
        host: &'a S,
        is_replayed: bool,
    ) -> (&'a mut Service, Inside<'a, S>) {
        let outside = Outside { host, is_replayed };
        let flows = &mut self.flows;
        (&mut self.service, Inside { flows, outside })
    }

    /// Returns what input is to its connection, whether it is carried out or not.
    fn arrive(&mut self, record: &InputRecord<'_>) {
        self.last_time_ms = self.last_time_ms.max(record.stamp.time_ms);
        let flows = &mut self.flows;
        match record.input {
            Input::Open { connection, .. } => flows.opened(connection),
            Input::Bytes { connection, bytes } => flows.received(connection, bytes.len()),
            Input::Close { connection } => flows.closed(connection),
            Input::Tick => {}
        }
    }

    /// Applies a fact about a connection.
    pub fn apply_fact(&mut self, fact: &Fact) {
        if let Err(error) = self.flows.apply(fact) {
            report_finding(error);
        }
    }
}

/// A record is whole, and its payload is nothing this version knows.
fn not_understood(error: &dyn Error) {
    report_finding(format_args!(
        "a record that is whole but not understood: {error}"
    ));
}

/// Logs damage in what the journal holds.
fn report_finding(what: impl Display) {
    let (damage, what) = (None, Text::of(what));
    log::error!("{}", event::Finding { damage, what });
}

/// Logs damage of the journal itself.
pub(crate) fn report_damage(finding: &Finding) {
    let (damage, what) = (Some(finding.damage.kind()), Text::of(finding));
    log::error!("{}", event::Finding { damage, what });
}
