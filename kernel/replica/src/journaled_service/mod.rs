//! The primary's service: everything that its replies depend on is committed to the journal first, and then applied.
//!
//! [`checkpointing`] is the other half of this type: it commits as this file does, and this file holds where it
//! stands. That pair of files depends on each other on purpose.

mod checkpointing;

use alloc::vec::Vec;

use journal::AppendError;
use network::{ConnectionEvent, EventSink, Flows};
use service::{CANARY, Input, InputRecord};
use sharedmem::RecordKind;
use sharedmem::event::RetentionLost;

use crate::backup_monitor::{BackupMonitor, BackupView};
use crate::canary::{self, CANARY_INTERVAL_NS, CanaryError};
use crate::host::{Host, ReplicationStatus};
use crate::replica::Replica;
use checkpointing::Checkpoints;

/// Greatest age of the status that `INFO` and `ROLE` show, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// The replica of a primary.
pub struct JournaledService<H> {
    host: H,
    epoch: u64,
    /// State and journal.
    pub replica: Replica<H>,
    /// What the primary knows of its backup.
    pub backup: BackupMonitor,
    entropy: u64,
    /// When the status was committed last, in ns since the machine's boot.
    status_ns: Option<u64>,
    /// When the next canary is due, in ns since the machine's boot.
    canary_due_ns: u64,
    checkpoints: Checkpoints,
}

impl<H: Host> JournaledService<H> {
    /// Makes the service of the primary of `epoch`. If its recovery found damage (`is_damaged`), a checkpoint is due
    /// at once, so that no later reader has to read the damage.
    pub fn new(host: H, epoch: u64, replica: Replica<H>, is_damaged: bool) -> Self {
        let mut service = Self {
            backup: BackupMonitor::new(&host, epoch),
            canary_due_ns: host.now_ns().saturating_add(CANARY_INTERVAL_NS),
            host,
            epoch,
            entropy: 0,
            status_ns: None,
            checkpoints: Checkpoints::new(&replica.journal(), is_damaged),
            replica,
        };
        // Before any other record: whatever earlier primaries left behind the journal's end is foreign from here on.
        service.commit(RecordKind::Epoch, |_| {}, |_| {});
        service
    }

    /// Returns whether this kernel still is the primary. If not, nothing that it has done since may be seen outside.
    pub fn is_primary(&self) -> bool {
        let control = self.host.region().control;
        control.epoch.is_owned_by(self.epoch)
    }

    /// Commits an input, then applies it.
    pub fn submit(&mut self, input: Input<'_>) {
        // A canary does not ask for the status.
        if matches!(input, Input::Bytes { connection, .. } if connection != CANARY) {
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

    /// Submits a canary if one is due, and checks the reply. To be called in each round of the main loop.
    ///
    /// # Errors
    /// The service does not answer.
    pub fn check_service(&mut self) -> Result<(), CanaryError> {
        let now_ns = self.host.now_ns();
        if now_ns < self.canary_due_ns {
            return Ok(());
        }
        self.canary_due_ns = now_ns.saturating_add(CANARY_INTERVAL_NS);
        let bytes = &canary::request(now_ns);
        let connection = CANARY;
        self.submit(Input::Bytes { connection, bytes });
        self.replica.check_canary(now_ns)
    }

    /// Returns whether the machine is to be handed over now: a client asked for it, and a backup waits.
    pub fn is_leaving(&self, now_ns: u64) -> bool {
        let now_ms = self.host.service_ms(now_ns);
        let now_ms = self.replica.stamp(now_ms, 0).time_ms;
        let service = self.replica.service();
        service.wants_failover(self.epoch, now_ms) && self.backup.is_protected()
    }

    /// Returns whether the backup has applied everything.
    pub fn is_backup_level(&self) -> bool {
        self.replica.journal().lag_bytes() == 0
    }

    /// Commits the status if the last one is too old, because replies depend on it.
    fn refresh_status(&mut self) {
        let now_ns = self.host.now_ns();
        let is_fresh = |then_ns: u64| now_ns.saturating_sub(then_ns) < STATUS_AGE_NS_MAX;
        if self.status_ns.is_some_and(is_fresh) {
            return;
        }
        self.status_ns = Some(now_ns);
        let journal = self.replica.journal();
        let status = self.host.status(&ReplicationStatus {
            is_protected: self.backup.is_protected(),
            monitor_seen_ns: self.backup.last_seen_ns(),
            journal_position: journal.cursors().reserved,
            journal_lag_bytes: journal.lag_bytes(),
        });
        self.commit(
            RecordKind::Status,
            |payload| status.encode(payload),
            |replica| replica.set_status(status),
        );
    }

    /// Commits a record, then applies it. If there is no room, waits for the backup as long as the backup lives.
    fn commit(
        &mut self,
        kind: RecordKind,
        encode: impl FnOnce(&mut Vec<u8>),
        apply: impl FnOnce(&mut Replica<H>),
    ) {
        self.replica.compose(encode);
        let appended = loop {
            match self.replica.commit(self.epoch, kind) {
                Ok(appended) => break appended,
                Err(AppendError::Full { .. }) => self.make_room(),
                // The backup's cursor may be what is wrong: give the backup up, and go on without it.
                Err(error @ AppendError::CursorsCorrupt { .. }) => {
                    self.go_on_without_backup(&error)
                }
                Err(error) => panic!("the journal cannot be written: {error}"),
            }
        };
        let end = appended.end;
        // If this kernel stops while it applies the record, its successor finds the position here.
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

    /// Gives up what is retained or, if that is not the reason, the backup: the journal's cursors make no sense.
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

    /// Gives up what is retained, if that takes the room. Returns whether it did.
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

    /// Makes room in a full journal: waits a little for the backup, or gives up one that is dead.
    fn make_room(&mut self) {
        self.host.advance();
        let control = self.host.region().control;
        if !self.is_primary() {
            self.host.superseded(control.epoch.current());
        }
        if self.retain_nothing_more() {
            return;
        }
        if !self.is_followed() {
            let journal = self.replica.journal();
            journal.mark_consumed(journal.cursors().applied);
        } else if matches!(self.backup.look(&self.host), BackupView::Unprotected(_))
            && control.protection.drop_backup()
        {
            log::error!(
                "the journal is full and the backup silent: it is given up, and the journal goes on without it"
            );
        }
        self.host.pause();
    }
}

impl<H: Host> EventSink for JournaledService<H> {
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
