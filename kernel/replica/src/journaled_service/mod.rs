//! The primary's service: everything that its replies depend on is committed to the journal first, and then applied.
//!
//! [`checkpointing`], [`commit`], [`examining`] and [`memory`] are the other parts of this type: they commit as this
//! file does, and this file holds where they stand. These files depend on each other on purpose.

mod checkpointing;
mod commit;
mod examining;
mod memory;
mod room_wait;

use journal::Owner;
use network::{ConnectionEvent, EventSink, Flows};
use service::{CANARY, Input, InputRecord};
use sharedmem::RecordKind;
use sharedmem::epitaph::EpitaphCause;

use crate::backup_monitor::BackupMonitor;
use crate::canary::{self, CanaryError, CanaryWatch};
use crate::host::{Host, ReplicationStatus};
use crate::replica::Replica;
use crate::shared_journal::SharedOwner;
use checkpointing::Checkpoints;
use examining::Examination;
use memory::Doubts;

/// Greatest age of the status that `INFO` and `ROLE` show, in ns.
const STATUS_AGE_NS_MAX: u64 = 10_000_000;

/// The replica of a primary.
pub struct JournaledService<H> {
    host: H,
    epoch: u64,
    /// The state.
    pub replica: Replica<H>,
    /// The journal, with what this primary knows of it.
    journal: SharedOwner,
    /// What the primary knows of its backup.
    pub backup: BackupMonitor,
    entropy: u64,
    /// When the status was committed last, in ns since the machine's boot.
    status_ns: Option<u64>,
    canary: CanaryWatch,
    checkpoints: Checkpoints,
    examination: Examination,
    doubts: Doubts,
}

/// What a primary begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// Its recovery found damage. Then a checkpoint is due at once, so that no later reader has to read the damage.
    pub is_damaged: bool,
    /// Of what its predecessor died, if it is known.
    pub predecessor: Option<EpitaphCause>,
}

impl<H: Host> JournaledService<H> {
    /// Makes the service of the primary of `epoch`, after its recovery.
    pub fn new(host: H, epoch: u64, replica: Replica<H>, inherited: Inherited) -> Self {
        let mut service = Self {
            backup: BackupMonitor::new(&host, epoch),
            canary: CanaryWatch::new(host.now_ns()),
            examination: Examination::new(host.now_ns(), host.region().control.backup.losses()),
            epoch,
            entropy: 0,
            status_ns: None,
            checkpoints: Checkpoints::new(&replica.journal(), inherited.is_damaged),
            doubts: Doubts::new(inherited.predecessor, host.now_ns()),
            journal: Owner::adopt(replica.journal()),
            host,
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

    /// Checks the words that only this primary writes, submits a canary if one is due, and checks the reply. To be
    /// called in each round of the main loop.
    ///
    /// # Errors
    /// The service did not answer the last canary.
    pub fn check_service(&mut self) -> Result<(), CanaryError> {
        self.check_words();
        let now_ns = self.host.now_ns();
        if self.canary.begin(now_ns) {
            let bytes = &canary::request(now_ns);
            let connection = CANARY;
            self.submit(Input::Bytes { connection, bytes });
            self.canary.end(self.replica.check_canary(now_ns));
        }
        self.canary.verdict()
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
            obstacles: self.backup.obstacles(),
            monitor_seen_ns: self.backup.last_seen_ns(),
            journal_position: self.journal.reserved(),
            journal_lag_bytes: journal.lag_bytes(),
            state_fault: self.examination.watch.fault(),
            state_faults: self.examination.watch.faults(),
        });
        self.commit(
            RecordKind::Status,
            |payload| status.encode(payload),
            |replica| replica.set_status(status),
        );
    }
}

impl<H: Host> EventSink for JournaledService<H> {
    fn flows(&self) -> &Flows {
        self.replica.flows()
    }

    fn commit_event(&mut self, event: ConnectionEvent<'_>) {
        match event {
            ConnectionEvent::Fact(fact) => self.commit_fact(&fact),
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
