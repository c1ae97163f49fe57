//! The kernel's status, for `INFO`, `ROLE` and the status page.

use journal::RecoverySummary;
use replica::{BackupMonitor, ReplicationStatus, SharedJournal};
use service::{HostStatus, TakeoverTimes};
use sharedmem::Instance;
use sharedmem::cause::StateFault;
use sharedmem::epitaph::EpitaphText;
use sharedmem::epoch::FIRST_EPOCH;
use web::{DeadPrimary, JournalStatus, PrimaryStatus, TakeoverStatus};

use crate::context::Context;
use crate::{epoch, memory, note, operator};

/// Returns the status of this primary, for `INFO` and `ROLE`.
pub fn of(context: &Context, replication: &ReplicationStatus) -> HostStatus {
    let now_ns = context.now_ns();
    let epoch = epoch::own();
    let control = context.region.control;
    let timeline = control.timelines.of_epoch(epoch);
    let operator = operator::status();
    let lost = control.backup.last_loss();
    HostStatus {
        is_backup: false,
        epoch,
        obstacles: replication.obstacles,
        keepalive_age_us: replication
            .monitor_seen_ns
            .map(|seen_ns| now_ns.saturating_sub(seen_ns) / 1000),
        journal_position: replication.journal_position,
        journal_lag_bytes: replication.journal_lag_bytes,
        port: context.port(),
        uptime_ms: now_ns / 1_000_000,
        cores: context.hand_off.core_count,
        heap_bytes: memory::HEAP.used_bytes() as u64,
        takeovers: epoch.saturating_sub(FIRST_EPOCH) as u32,
        last_takeover: (timeline.epoch() == epoch).then(|| TakeoverTimes::of(timeline)),
        version: note::version().into(),
        backup_version: control.backup.version.get().as_str().into(),
        state_fault: replication.state_fault,
        state_faults: replication.state_faults,
        operator_requests: operator.requests,
        operator_answer: operator.answer,
        operator_reason: operator.reason,
        backup_losses: lost.map_or(0, |lost| lost.count),
        last_backup_loss: lost.map(|lost| lost.loss),
    }
}

/// Returns the status of this primary, for its status page. `recovered` is what it found in the journal, `epitaph` what
/// the dead primary left.
pub fn page(
    context: &Context,
    backup: &BackupMonitor,
    state_fault: Option<StateFault>,
    journal: SharedJournal,
    recovered: &RecoverySummary,
    epitaph: Option<EpitaphText>,
) -> PrimaryStatus {
    let control = context.region.control;
    let epoch = epoch::own();
    let takeover = TakeoverStatus::of(control, epoch, recovered.clone());
    let other = context.instance().other();
    let image = match other {
        Instance::A => &context.options.primary_kernel,
        Instance::B => &context.options.failover_kernel,
    };
    let cursors = journal.cursors();
    PrimaryStatus {
        instance: context.instance(),
        version: note::version(),
        epoch,
        cores: context.hand_off.core_count,
        uptime_ms: context.now_ns() / 1_000_000,
        service_port: context.port(),
        obstacles: backup.obstacles(),
        state_fault,
        journal: JournalStatus {
            reserved: cursors.reserved,
            applied: cursors.applied,
            consumed: cursors.consumed,
            capacity_bytes: journal.capacity_bytes(),
        },
        dead: takeover
            .is_some()
            .then(|| DeadPrimary::of(control, other, image, epitaph)),
        takeover,
    }
}
