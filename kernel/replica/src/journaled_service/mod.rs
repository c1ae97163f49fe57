//! The primary's way into the journal: everything that its replies depend on is committed first, and applied then.

mod checkpointing;

use alloc::vec::Vec;

use journal::AppendError;
use network::{ConnectionEvent, EventSink, Flows};
use service::{Input, InputRecord};
use sharedmem::RecordKind;
use sharedmem::event::RetentionLost;

use crate::backup_monitor::{BackupMonitor, BackupView};
use crate::host::Host;
use crate::replica::Replica;
use checkpointing::Checkpoints;

/// How old the status may be that `INFO` and `ROLE` tell, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// The replica of a primary.
pub struct JournaledService<S> {
    host: S,
    epoch: u64,
    /// State and journal.
    pub replica: Replica<S>,
    /// What the primary sees of the seat.
    pub seat: BackupMonitor,
    entropy: u64,
    /// When the status was committed last, in ns since the machine's boot.
    status_ns: Option<u64>,
    checkpoints: Checkpoints,
}

impl<S: Host> JournaledService<S> {
    /// Returns the service of the owner of `epoch`. If what it was made from `is_damaged`, the state is told anew: nobody has to read the damage again.
    pub fn new(host: S, epoch: u64, replica: Replica<S>, is_damaged: bool) -> Self {
        let mut ledger = Self {
            seat: BackupMonitor::new(&host, epoch),
            host,
            epoch,
            entropy: 0,
            status_ns: None,
            checkpoints: Checkpoints::new(&replica.journal(), is_damaged),
            replica,
        };
        // Before any other: what earlier owners may have left behind the journal's end is foreign from here on.
        ledger.commit(RecordKind::Epoch, |_| {}, |_| {});
        ledger
    }

    /// Returns whether the machine is this kernel's. If it is not, nothing of what it did since may be seen outside.
    pub fn is_owner(&self) -> bool {
        let control = self.host.region().control;
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
            .wrapping_add(self.host.entropy() | 1);
        let now_ms = self.host.service_ms(self.host.now_ns());
        let stamp = self.replica.stamp(now_ms, self.entropy);
        let record = InputRecord { stamp, input };
        self.commit(
            RecordKind::Input,
            |payload| record.encode(payload),
            |replica| replica.apply(&record),
        );
    }

    /// Returns whether the machine is to be handed over now: somebody asked for it, and there is a backup.
    pub fn is_leaving(&self, now_ns: u64) -> bool {
        let now_ms = self.host.service_ms(now_ns);
        let now_ms = self.replica.stamp(now_ms, 0).time_ms;
        let service = self.replica.service();
        service.wants_failover(self.epoch, now_ms) && self.seat.is_protected()
    }

    /// Returns whether the backup has applied everything.
    pub fn is_backup_level(&self) -> bool {
        self.replica.journal().lag_bytes() == 0
    }

    /// Commits the status, if the last one is old: replies are made of it.
    fn refresh_status(&mut self) {
        let now_ns = self.host.now_ns();
        let is_fresh = |then_ns: u64| now_ns.saturating_sub(then_ns) < STATUS_AGE_NS_MAX;
        if self.status_ns.is_some_and(is_fresh) {
            return;
        }
        self.status_ns = Some(now_ns);
        let status = self.host.status(&self.seat, self.replica.journal());
        self.commit(
            RecordKind::Status,
            |payload| status.encode(payload),
            |replica| replica.learn(status),
        );
    }

    /// Commits a record, then applies it. One there is no room for waits for the backup as long as the backup lives.
    fn commit(
        &mut self,
        kind: RecordKind,
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
        let applying = &self.host.region().control.journal.applying;
        applying.begin(appended.position);
        apply(&mut self.replica);
        applying.end();
        let journal = self.replica.journal();
        journal.mark_applied(end);
        if !self.is_followed() {
            journal.mark_consumed(end);
        }
    }

    /// Returns what the backup has written cannot be believed: it is given up.
    fn go_on_without_backup(&mut self, error: &AppendError) {
        self.host.advance();
        if self.retain_nothing_more() {
            return;
        }
        if self.host.region().control.protection.drop_backup() {
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
            log::warn!("{}", RetentionLost {});
            journal.retain(None);
        }
        is_in_the_way
    }

    /// Returns whether a backup, alive or silent, may still need the journal. A parked Linux never reads it.
    fn is_followed(&self) -> bool {
        use sharedmem::protection::ProtectionState::{Armed, Claimed, Filling};
        let control = self.host.region().control;
        let is_armed = matches!(control.protection.state(), Armed | Claimed | Filling);
        let other = self.host.instance().other();
        is_armed && control.resume_slots[other].ticket().is_none()
    }

    /// Returns the journal is full. Waits a little for the backup; gives up one that is dead.
    fn make_room(&mut self) {
        self.host.advance();
        let control = self.host.region().control;
        if !self.is_owner() {
            self.host.superseded(control.epoch.current());
        }
        if self.retain_nothing_more() {
            return;
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        } else if matches!(self.seat.look(&self.host), BackupView::Unprotected(_))
            && control.protection.drop_backup()
        {
            log::error!(
                "the journal is full and the backup silent: it is given up, and the journal goes on without it"
            );
        }
        self.host.pause();
    }
}

impl<S: Host> EventSink for JournaledService<S> {
    fn flows(&self) -> &Flows {
        self.replica.flows()
    }

    fn commit_event(&mut self, event: ConnectionEvent<'_>) {
        match event {
            ConnectionEvent::Fact(fact) => self.commit(
                RecordKind::Connection,
                |payload| fact.encode(payload),
                |replica| replica.apply_fact(&fact),
            ),
            ConnectionEvent::Opened(connection, peer) => {
                self.submit(Input::Open { connection, peer })
            }
            ConnectionEvent::Bytes(connection, bytes) => {
                self.submit(Input::Bytes { connection, bytes })
            }
            ConnectionEvent::Closed(connection) => self.submit(Input::Close { connection }),
        }
    }

    fn progress(&mut self) {
        self.host.advance();
    }

    fn now_ns(&self) -> u64 {
        self.host.now_ns()
    }
}
