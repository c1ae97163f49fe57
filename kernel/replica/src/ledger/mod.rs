//! The primary's way into the journal: everything that its replies depend on is committed first, and applied then.

mod telling;

use alloc::vec::Vec;

use journal::{AppendError, Kind};
use network::{Event, Flows, Ledger};
use service::{Input, Record};

use crate::kinds;
use crate::replica::Replica;
use crate::seat_watch::{Protection, SeatWatch};
use crate::surroundings::Surroundings;
use telling::Checkpoints;

/// How old the status may be that `INFO` and `ROLE` tell, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// The replica of a primary.
pub struct JournaledService<S> {
    surroundings: S,
    epoch: u64,
    /// State and journal.
    pub replica: Replica<S>,
    /// What the primary sees of the seat.
    pub seat: SeatWatch,
    entropy: u64,
    /// When the status was committed last, in ns since the machine's boot.
    status_ns: Option<u64>,
    checkpoints: Checkpoints,
}

impl<S: Surroundings> JournaledService<S> {
    /// The service of the owner of `epoch`. If what it was made from `is_damaged`, the state is told anew: nobody has to read the damage again.
    pub fn new(surroundings: S, epoch: u64, replica: Replica<S>, is_damaged: bool) -> Self {
        let mut ledger = Self {
            surroundings,
            epoch,
            seat: SeatWatch::new(&surroundings, epoch),
            entropy: 0,
            status_ns: None,
            checkpoints: Checkpoints::new(&replica.journal(), is_damaged),
            replica,
        };
        // Before any other: what earlier owners may have left behind the journal's end is foreign from here on.
        ledger.commit(kinds::EPOCH, |_| {}, |_| {});
        ledger
    }

    /// Whether the machine is this kernel's. If it is not, nothing of what it did since may be seen outside.
    pub fn is_owner(&self) -> bool {
        let control = self.surroundings.region().control;
        control.epoch.is_owned_by(self.epoch)
    }

    /// Commits `input`, then applies it.
    pub fn submit(&mut self, input: Input<'_>) {
        if matches!(input, Input::Bytes { .. }) {
            self.refresh_status();
        }
        self.entropy = self
            .entropy
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(self.surroundings.entropy() | 1);
        let now_ms = self.surroundings.service_ms(self.surroundings.now_ns());
        let stamp = self.replica.stamp(now_ms, self.entropy);
        let record = Record { stamp, input };
        self.commit(
            kinds::INPUT,
            |payload| record.encode(payload),
            |replica| replica.apply(&record),
        );
    }

    /// Whether the machine is to be handed over now: somebody asked for it, and there is a backup.
    pub fn is_leaving(&self, now_ns: u64) -> bool {
        let now_ms = self.surroundings.service_ms(now_ns);
        let now_ms = self.replica.stamp(now_ms, 0).time_ms;
        let service = self.replica.service();
        service.wants_failover(self.epoch, now_ms) && self.seat.is_protected()
    }

    /// Whether the backup has applied everything.
    pub fn is_backup_level(&self) -> bool {
        self.replica.journal().lag_bytes() == 0
    }

    /// Commits the status, if the last one is old: replies are made of it.
    fn refresh_status(&mut self) {
        let now_ns = self.surroundings.now_ns();
        let is_fresh = |then_ns: u64| now_ns.saturating_sub(then_ns) < STATUS_AGE_NS_MAX;
        if self.status_ns.is_some_and(is_fresh) {
            return;
        }
        self.status_ns = Some(now_ns);
        let status = self.surroundings.status(&self.seat, self.replica.journal());
        self.commit(
            kinds::STATUS,
            |payload| status.encode(payload),
            |replica| replica.learn(status),
        );
    }

    /// Commits a record, then applies it. One there is no room for waits for the backup as long as the backup lives.
    fn commit(
        &mut self,
        kind: Kind,
        encode: impl FnOnce(&mut Vec<u8>),
        apply: impl FnOnce(&mut Replica<S>),
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
        let applying = &self.surroundings.region().control.journal.applying;
        applying.begin(appended.position);
        apply(&mut self.replica);
        applying.end();
        let journal = self.replica.journal();
        journal.mark_applied(end);
        if !self.is_followed() {
            journal.mark_consumed(end);
        }
    }

    /// What the backup has written cannot be believed: it is given up.
    fn go_on_without_backup(&mut self, error: &AppendError) {
        self.surroundings.advance();
        if self.retain_nothing_more() {
            return;
        }
        if self.surroundings.region().control.protection.drop_backup() {
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
        let control = self.surroundings.region().control;
        let is_armed = matches!(control.protection.state(), Armed | Claimed | Filling);
        let other = 1 - self.surroundings.instance() % control.linux.len();
        is_armed && control.linux[other].ticket().is_none()
    }

    /// The journal is full. Waits a little for the backup; gives up one that is dead.
    fn make_room(&mut self) {
        self.surroundings.advance();
        let control = self.surroundings.region().control;
        if !self.is_owner() {
            self.surroundings.superseded(control.epoch.current());
        }
        if self.retain_nothing_more() {
            return;
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        } else if matches!(
            self.seat.look(&self.surroundings),
            Protection::Unprotected(_)
        ) && control.protection.drop_backup()
        {
            log::error!(
                "the journal is full and the backup silent: it is given up, and the journal goes on without it"
            );
        }
        self.surroundings.pause();
    }
}

impl<S: Surroundings> Ledger for JournaledService<S> {
    fn flows(&self) -> &Flows {
        self.replica.flows()
    }

    fn enter(&mut self, event: Event<'_>) {
        match event {
            Event::Fact(fact) => self.commit(
                kinds::CONNECTION,
                |payload| fact.encode(payload),
                |replica| replica.apply_fact(&fact),
            ),
            Event::Opened(connection, peer) => self.submit(Input::Open { connection, peer }),
            Event::Bytes(connection, bytes) => self.submit(Input::Bytes { connection, bytes }),
            Event::Closed(connection) => self.submit(Input::Close { connection }),
        }
    }

    fn progress(&mut self) {
        self.surroundings.advance();
    }

    fn now_ns(&self) -> u64 {
        self.surroundings.now_ns()
    }
}
