//! The primary's way into the journal: everything that its replies depend on is committed first, and applied then.

use alloc::vec::Vec;

use ::checkpoint::Schedule;
use journal::{AppendError, Kind};
use network::{Event, Flows, Ledger};
use service::{DebugCommand, Input, OperatorCommand, Record};
use sharedmem::protection::ProtectionState;

use crate::checkpoint::Telling;
use crate::context::Context;
use crate::cores::{self, LEAD};
use crate::keepalive::{Protection, SeatWatch};
use crate::replica::Replica;
use crate::state::{
    KIND_CHECKPOINT, KIND_CONNECTION, KIND_EPOCH, KIND_INPUT, KIND_STATUS, Outside,
};
use crate::{death, faults, operator, report, status};

/// How old the status may be that `INFO` and `ROLE` tell, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// How long a backup may take to read the state, before it is told again, in ns.
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
    schedule: Schedule,
    /// Where the journal ended when the checkpoint was gone on with last.
    paced_to: u64,
    /// When a backup that waits to be told the state gets a checkpoint of its own, in ns since the machine's boot.
    filling_from_ns: Option<u64>,
    /// A checkpoint is due in any case.
    is_asked: bool,
}

impl JournaledService {
    /// The service of the owner of `epoch`. If what it was made from `is_damaged`, the state is told anew: nobody has to read the damage again.
    pub fn new(context: &'static Context, epoch: u64, replica: Replica, is_damaged: bool) -> Self {
        let journal = replica.journal();
        let mut ledger = Self {
            context,
            epoch,
            replica,
            seat: SeatWatch::new(context),
            entropy: context.hand_off.entropy,
            status_ns: None,
            telling: None,
            schedule: Schedule::new(journal.capacity_bytes()),
            paced_to: journal.cursors().reserved,
            filling_from_ns: None,
            is_asked: is_damaged,
        };
        // Before any other: what earlier owners may have left behind the journal's end is foreign from here on.
        ledger.commit(KIND_EPOCH, |_| {}, |_, _| {});
        ledger
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
            .stamp(self.context.service_ms(self.context.now_ns()), self.entropy);
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
        let now_ms = self
            .replica
            .stamp(self.context.service_ms(now_ns), 0)
            .time_ms;
        service.wants_failover(self.epoch, now_ms) && self.seat.is_protected()
    }

    /// Whether the backup has applied everything.
    pub fn is_backup_level(&self) -> bool {
        self.replica.journal().lag_bytes() == 0
    }

    /// Tells some of the state, if a checkpoint is due. True if there is more to tell.
    pub fn tell_state(&mut self) -> bool {
        let now_ns = self.context.now_ns();
        let arrived_bytes = self.arrived_bytes();
        let mut payloads = Vec::new();
        let mut sink = |payload: &[u8]| payloads.push(payload.to_vec());
        let Some(mut telling) = self.telling.take() else {
            let is_due = self.is_checkpoint_due(now_ns);
            if is_due {
                let position = self.replica.journal().cursors().reserved;
                let state = self.replica.state_mut();
                self.telling = Some(Telling::begin(state, position, &mut sink));
                self.publish(&payloads);
            }
            return is_due;
        };
        let pace_bytes = self.schedule.pace_bytes(arrived_bytes) as usize;
        let is_told = telling.go_on(self.replica.state_mut(), pace_bytes, &mut sink);
        self.publish(&payloads);
        telling.longest_ns = telling.longest_ns.max(self.context.now_ns() - now_ns);
        match is_told {
            true => self.retain(&telling),
            false => self.telling = Some(telling),
        }
        !is_told
    }

    /// Bytes that came into the journal since the last time.
    fn arrived_bytes(&mut self) -> u64 {
        let reserved = self.replica.journal().cursors().reserved;
        reserved - core::mem::replace(&mut self.paced_to, reserved)
    }

    /// Whether a checkpoint is to begin: for a backup that has to be told the state, or because the journal cannot be kept for much longer.
    fn is_checkpoint_due(&mut self, now_ns: u64) -> bool {
        let journal = self.replica.journal();
        let retained_bytes = journal.retained().map(|_| journal.retained_bytes());
        let is_filling = self.context.region.control.protection.state() == ProtectionState::Filling;
        if !is_filling {
            self.filling_from_ns = None;
        } else {
            // A backup reads what is retained. If it still is not filled after a while, it found damage there.
            let from_ns = *self.filling_from_ns.get_or_insert(match retained_bytes {
                Some(_) => now_ns + TELLING_AGAIN_NS,
                None => now_ns,
            });
            if now_ns >= from_ns {
                self.filling_from_ns = Some(now_ns + TELLING_AGAIN_NS);
                return true;
            }
        }
        let memory_bytes = self.replica.service().used_bytes();
        core::mem::take(&mut self.is_asked) || self.schedule.is_due(retained_bytes, memory_bytes)
    }

    /// The state is told to its end: from now on, the journal is kept from where that began.
    fn retain(&mut self, telling: &Telling) {
        let journal = self.replica.journal();
        let memory_bytes = self.replica.service().used_bytes();
        let kept_bytes = journal.cursors().reserved - telling.position;
        let is_kept = self.schedule.told(telling.bytes, kept_bytes, memory_bytes);
        journal.retain(is_kept.then_some(telling.position));
        log::info!(
            "event=checkpoint bytes={} keys={} longest_ns={} kept={}",
            telling.bytes,
            self.replica.service().key_count(),
            telling.longest_ns,
            u8::from(is_kept)
        );
        if self.schedule.is_too_large() {
            log::warn!(
                "the state ({} bytes) is more than a third of the journal ({} bytes): it does not survive a reset of the machine; a larger journal_mem= would keep it",
                telling.bytes,
                journal.capacity_bytes()
            );
        }
        self.filling_from_ns = None;
    }

    /// Commits records of a checkpoint.
    fn publish(&mut self, payloads: &[Vec<u8>]) {
        for payload in payloads {
            self.commit(
                KIND_CHECKPOINT,
                |out| out.extend_from_slice(payload),
                |_, _| {},
            );
        }
        self.paced_to = self.replica.journal().cursors().reserved;
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
        let appended = loop {
            match self.replica.commit(self.epoch, kind) {
                Ok(appended) => break appended,
                Err(AppendError::Full { .. }) => self.make_room(),
                // The room is the backup's to give. One that scribbles on it is given up, and the journal goes on without it.
                Err(error @ AppendError::CursorsCorrupt { .. }) => {
                    self.go_on_without_backup(&error)
                }
                Err(error) => panic!("the journal cannot be written: {error}"),
            }
        };
        let end = appended.end;
        // A successor that finds this word knows in which record this kernel stopped.
        let applying = &self.context.region.control.journal.applying;
        applying.begin(appended.position);
        apply(&mut self.replica, self.context);
        applying.end();
        let journal = self.replica.journal();
        journal.mark_applied(end);
        if !self.is_followed() {
            journal.mark_consumed(end);
        }
    }

    /// What the backup has written cannot be believed: it is given up.
    fn go_on_without_backup(&mut self, error: &AppendError) {
        cores::core(LEAD).advance();
        if self.retain_nothing_more() {
            return;
        }
        if self.context.region.control.protection.drop_backup() {
            log::error!("{error}: the backup is given up, and the journal goes on without it");
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        }
    }

    /// Gives up what is retained, if it is what takes the room.
    fn retain_nothing_more(&mut self) -> bool {
        let journal = self.replica.journal();
        let is_in_the_way = journal
            .retained()
            .is_some_and(|position| position < journal.cursors().consumed);
        if is_in_the_way {
            log::warn!("event=retention-lost reason=\"more came in than the journal can keep\"");
            journal.retain(None);
        }
        is_in_the_way
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
        if self.retain_nothing_more() {
            return;
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

    fn operate(&mut self, command: OperatorCommand<'_>) {
        operator::ask(self.context, command);
    }

    fn progress(&mut self) {
        cores::core(LEAD).advance();
    }
}
