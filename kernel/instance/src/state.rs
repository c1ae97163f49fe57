//! The service's state as the journal's records make it. A backup that follows, a new primary that recovers and a primary that commits all
//! apply the same records in the same way.

use core::error::Error;

use journal::Kind;
use network::{Fact, Flows};
use service::{
    ConnectionId, DebugCommand, Host, HostStatus, Input, Limits, OperatorCommand, Record, Service,
};
use sharedmem::abi::{
    RECORD_KIND_APPLICATION, RECORD_KIND_CHECKPOINT, RECORD_KIND_CONNECTION, RECORD_KIND_EPOCH,
    RECORD_KIND_INPUT, RECORD_KIND_STATUS, RECORD_SKIPPED,
};
use web::Records;

use crate::checkpoint::{Hearing, Told};
use crate::context::{self, Context};
use crate::cores::{self, LEAD};
use crate::script::CONSOLE_CONNECTION;

/// Kind of a journal record that holds input to the service.
pub const KIND_INPUT: Kind = Kind(RECORD_KIND_INPUT);

/// Kind of a journal record that tells of a connection.
pub const KIND_CONNECTION: Kind = Kind(RECORD_KIND_CONNECTION);

/// Kind of a journal record that holds the primary's status.
pub const KIND_STATUS: Kind = Kind(RECORD_KIND_STATUS);

/// Kind of a journal record that tells a new backup the state.
pub const KIND_CHECKPOINT: Kind = Kind(RECORD_KIND_CHECKPOINT);

/// Kind of a journal record with which an owner begins.
pub const KIND_EPOCH: Kind = Kind(RECORD_KIND_EPOCH);

/// Kind of a journal record that a program of a Linux appended. It is nothing the service could apply.
const KIND_APPLICATION: Kind = Kind(RECORD_KIND_APPLICATION);

/// The kind of a record that is skipped from now on.
pub fn skipped(Kind(kind): Kind) -> Kind {
    Kind(kind | RECORD_SKIPPED)
}

/// What the records make.
pub struct State {
    /// Keys, values, and what clients have begun.
    pub service: Service,
    /// What programs had told the journal while a Linux was the primary.
    pub records: Records,
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
    /// Asks the monitor.
    fn operate(&mut self, command: OperatorCommand<'_>);
    /// Counts work.
    fn progress(&mut self);
}

/// The world outside while a record is replayed. Its reply was printed, or never will be; a fault was injected once.
struct Nobody;

impl Outside for Nobody {
    fn print(&mut self, _: &[u8]) {}
    fn debug(&mut self, command: DebugCommand) {
        if command == DebugCommand::Poison {
            panic!("DEBUG POISON");
        }
    }
    fn operate(&mut self, _: OperatorCommand<'_>) {}
    fn progress(&mut self) {
        context::get().note_seat_progress();
        cores::core(LEAD).advance();
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

    fn operate(&mut self, command: OperatorCommand<'_>) {
        self.outside.operate(command);
    }

    fn progress(&mut self) {
        self.outside.progress();
    }
}

impl State {
    /// An empty state, of which nothing is known: a checkpoint has to come first.
    pub fn new(context: &Context) -> Self {
        let shares = context.shares();
        let limits = Limits {
            max_memory_bytes: shares.store_bytes,
            max_pending_bytes: shares.pending_bytes as usize,
            max_request_bytes: (shares.pending_bytes as usize)
                .min(Limits::default().max_request_bytes),
            max_clients: shares.connections,
            debug: context.options.debug,
            admin: context.options.admin,
            ..Limits::default()
        };
        let owed_bytes_max = shares.owed_bytes as usize;
        Self {
            service: Service::new(limits.clone()),
            records: Records::new(shares.records_bytes as usize),
            flows: Flows::new(owed_bytes_max),
            last_time_ms: 0,
            hearing: Hearing::Waiting,
            limits,
            owed_bytes_max,
        }
    }

    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.hearing.is_whole()
    }

    /// Nothing came before: an empty state is the whole one.
    pub fn begin_whole(&mut self) {
        self.hearing = Hearing::Whole;
    }

    /// Takes in what a record of the journal holds.
    pub fn replay(&mut self, record: &journal::Record<'_>) {
        match record.kind {
            KIND_CHECKPOINT => self.hear(record.payload),
            KIND_EPOCH => {}
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
            Kind(kind) if kind & RECORD_SKIPPED != 0 => self.pass_over(record),
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
    pub fn apply(&mut self, record: &Record<'_>, outside: &mut impl Outside) {
        self.arrive(record);
        let Self { flows, service, .. } = self;
        service.apply(record, &mut Inside { flows, outside });
    }

    /// Takes in a record that stopped two owners: whoever sent it is told so.
    fn pass_over(&mut self, record: &journal::Record<'_>) {
        if record.kind != skipped(KIND_INPUT) {
            return;
        }
        if let Ok(record) = Record::decode(record.payload) {
            self.arrive(&record);
            let Self { flows, service, .. } = self;
            let outside = &mut Nobody;
            service.refuse(&record, &mut Inside { flows, outside });
        }
    }

    /// What input is to its connection, whether it is carried out or not.
    fn arrive(&mut self, record: &Record<'_>) {
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
            log::error!("event=finding what=\"{error}\"");
        }
    }
}

/// A record is whole, and its payload is nothing this version knows.
fn not_understood(error: &dyn Error) {
    log::error!("event=finding what=\"a record that is whole but not understood: {error}\"");
}
