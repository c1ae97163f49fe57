//! The primary's way into the journal: everything that its replies depend on is committed first, and applied then.

use alloc::vec::Vec;

use journal::{AppendError, Kind};
use network::{Event, Flows, Ledger};
use service::{DebugCommand, Input, Record};
use sharedmem::protection::ProtectionState;

use crate::checkpoint::Telling;
use crate::context::Context;
use crate::cores::{self, LEAD};
use crate::keepalive::{Protection, SeatWatch};
use crate::replica::{
    KIND_CHECKPOINT, KIND_CONNECTION, KIND_INPUT, KIND_STATUS, Outside, Replica, SharedJournal,
};
use crate::{death, faults, report, status};

/// How old the status may be that `INFO` and `ROLE` tell, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// How long after its end a checkpoint is told again, if the backup has not heard all of it, in ns.
const TELLING_AGAIN_NS: u64 = 1_000_000_000;

/// The replica of a primary.
pub struct JournaledService {
    context: &'static Context,
    epoch: u64,
    /// State and journal.
    pub replica: Replica,
    /// What the primary sees of the seat.
    pub seat: SeatWatch,
    entropy: u64,
    /// When the status was committed last, in ns since the machine's boot.
    status_ns: Option<u64>,
    telling: Option<Telling>,
    /// When a checkpoint may begin, in ns since the machine's boot.
    telling_from_ns: u64,
}

impl JournaledService {
    /// The service of the owner of `epoch`.
    pub fn new(context: &'static Context, epoch: u64, replica: Replica) -> Self {
        Self {
            context,
            epoch,
            replica,
            seat: SeatWatch::new(context),
            entropy: context.hand_off.entropy,
            status_ns: None,
            telling: None,
            telling_from_ns: 0,
        }
    }

    /// Commits `input`, then applies it.
    pub fn submit(&mut self, input: Input<'_>) {
        if matches!(input, Input::Bytes { .. }) {
            self.refresh_status();
        }
        self.entropy = self
            .entropy
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(self.context.clock_ticks() | 1);
        let stamp = self
            .replica
            .stamp(self.context.now_ns() / 1_000_000, self.entropy);
        let record = Record { stamp, input };
        self.commit(
            KIND_INPUT,
            |payload| record.encode(payload),
            |replica, context| {
                replica.apply(&record, &mut Alive { context });
            },
        );
    }

    /// Whether the machine is to be handed over now: somebody asked for it, and there is a backup.
    pub fn is_leaving(&self, now_ns: u64) -> bool {
        let service = self.replica.service();
        let now_ms = self.replica.stamp(now_ns / 1_000_000, 0).time_ms;
        service.wants_failover(self.epoch, now_ms) && self.seat.is_protected()
    }

    /// Whether the backup has applied everything.
    pub fn is_backup_level(&self) -> bool {
        self.replica.journal().lag_bytes() == 0
    }

    /// Tells a new backup some of the state, if there is one that needs it. True if there is more to tell.
    pub fn tell_state(&mut self) -> bool {
        let (context, epoch) = (self.context, self.epoch);
        let is_wanted = context.region.control.protection.state() == ProtectionState::Filling;
        let now_ns = context.now_ns();
        if !is_wanted {
            if self.telling.take().is_some() {
                self.replica.state_mut().service.abandon_checkpoint();
            }
            self.telling_from_ns = 0;
            return false;
        }
        let journal = self.replica.journal();
        let state = self.replica.state_mut();
        let mut sink = |payload: &[u8]| publish(context, journal, epoch, payload);
        let Some(telling) = &mut self.telling else {
            let is_due = now_ns >= self.telling_from_ns;
            if is_due {
                self.telling = Some(Telling::begin(state, &mut sink));
            }
            return is_due;
        };
        let is_told = telling.go_on(state, &mut sink);
        telling.longest_ns = telling.longest_ns.max(context.now_ns() - now_ns);
        if !is_told {
            return true;
        }
        log::info!(
            "event=checkpoint bytes={} keys={} longest_ns={}",
            telling.bytes,
            state.service.key_count(),
            telling.longest_ns
        );
        self.telling = None;
        self.telling_from_ns = now_ns + TELLING_AGAIN_NS;
        false
    }

    /// Commits the status, if the last one is old: replies are made of it.
    fn refresh_status(&mut self) {
        let now_ns = self.context.now_ns();
        let is_fresh = |then_ns: u64| now_ns.saturating_sub(then_ns) < STATUS_AGE_NS_MAX;
        if self.status_ns.is_some_and(is_fresh) {
            return;
        }
        self.status_ns = Some(now_ns);
        let status = status::of(self.context, &self.seat, self.replica.journal());
        self.commit(
            KIND_STATUS,
            |payload| status.encode(payload),
            |replica, _| replica.learn(status),
        );
    }

    /// Commits a record, then applies it. One there is no room for waits for the backup as long as the backup lives.
    fn commit(
        &mut self,
        kind: Kind,
        encode: impl FnOnce(&mut Vec<u8>),
        apply: impl FnOnce(&mut Replica, &'static Context),
    ) {
        self.replica.compose(encode);
        let end = loop {
            match self.replica.commit(self.epoch, kind) {
                Ok(end) => break end,
                Err(AppendError::Full { .. }) => self.make_room(),
                // The room is the backup's to give. One that scribbles on it is given up, and the journal goes on without it.
                Err(error @ AppendError::CursorsCorrupt { .. }) => {
                    self.go_on_without_backup(&error)
                }
                Err(error) => panic!("the journal cannot be written: {error}"),
            }
        };
        apply(&mut self.replica, self.context);
        let journal = self.replica.journal();
        journal.mark_applied(end);
        if !self.is_followed() {
            journal.mark_consumed(end);
        }
    }

    /// What the backup has written cannot be believed: it is given up.
    fn go_on_without_backup(&mut self, error: &AppendError) {
        cores::core(LEAD).advance();
        if self.context.region.control.protection.drop_backup() {
            log::error!("{error}: the backup is given up, and the journal goes on without it");
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        }
    }

    /// Whether a backup, alive or silent, may still need the journal. A parked Linux never reads it.
    fn is_followed(&self) -> bool {
        use sharedmem::protection::ProtectionState::{Armed, Claimed, Filling};
        let control = self.context.region.control;
        let is_armed = matches!(control.protection.state(), Armed | Claimed | Filling);
        let other = 1 - self.context.hand_off.instance as usize % control.linux.len();
        is_armed && control.linux[other].ticket().is_none()
    }

    /// The journal is full. Waits a little for the backup; gives up one that is dead.
    fn make_room(&mut self) {
        cores::core(LEAD).advance();
        let control = self.context.region.control;
        if !control.epoch.is_owned_by(self.epoch) {
            death::superseded(control.epoch.current());
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        } else if matches!(self.seat.look(self.context), Protection::Unprotected(_))
            && control.protection.drop_backup()
        {
            log::error!(
                "the journal is full and the backup silent: it is given up, and the journal goes on without it"
            );
        }
        core::hint::spin_loop();
    }
}

/// Appends a record of a checkpoint, which a new backup reads at once. If it does not, it is given up: who tells the state then tells nobody.
fn publish(context: &Context, journal: SharedJournal, epoch: u64, payload: &[u8]) {
    let control = context.region.control;
    let deadline_ns = context.now_ns() + context.options.failover_timeout_ns;
    while control.protection.state() == ProtectionState::Filling {
        cores::core(LEAD).advance();
        match journal.append(epoch, KIND_CHECKPOINT, &[payload]) {
            Ok(record) => return journal.mark_applied(record.end),
            Err(AppendError::Full { .. }) if context.now_ns() < deadline_ns => {
                core::hint::spin_loop();
            }
            Err(error) => {
                log::error!("{error}: the new backup is given up");
                // If somebody else was faster, the state is another.
                let _ = control.protection.drop_backup();
            }
        }
    }
}

impl Ledger for JournaledService {
    fn flows(&self) -> &Flows {
        self.replica.flows()
    }

    fn enter(&mut self, event: Event<'_>) {
        match event {
            Event::Fact(fact) => self.commit(
                KIND_CONNECTION,
                |payload| fact.encode(payload),
                |replica, _| replica.apply_fact(&fact),
            ),
            Event::Opened(connection, peer) => self.submit(Input::Open { connection, peer }),
            Event::Bytes(connection, bytes) => self.submit(Input::Bytes { connection, bytes }),
            Event::Closed(connection) => self.submit(Input::Close { connection }),
        }
    }
}

/// The world outside a primary.
struct Alive {
    context: &'static Context,
}

impl Outside for Alive {
    fn print(&mut self, bytes: &[u8]) {
        report::console_reply(self.context, bytes);
    }

    fn debug(&mut self, command: DebugCommand) {
        faults::inject(self.context, command);
    }

    fn progress(&mut self) {
        cores::core(LEAD).advance();
    }
}
