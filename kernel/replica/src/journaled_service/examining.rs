//! A primary goes through its own state, and lets its backup compare.

use sharedmem::RecordKind;
use sharedmem::cause::StateFault;
use sharedmem::event::{StateFaulty, Text};
use sharedmem::protection::ProtectionState;

use super::JournaledService;
use crate::digest::{Digest, DigestStep};
use crate::host::Host;
use crate::state_watch::StateWatch;

/// Time between two steps, in ns.
const INTERVAL_NS: u64 = 50_000_000;
/// How long a step is to take, in ns.
const STEP_NS: u64 = 150_000;
/// Least and greatest length of a step, in bytes whose hashing takes as long.
const WORK_BYTES: core::ops::RangeInclusive<u32> = 4 << 10..=1 << 20;

/// How far a primary has come, and what it has found.
pub(super) struct Examination {
    /// What was found.
    pub watch: StateWatch,
    step: DigestStep,
    /// When the next step is due, in ns since the machine's boot.
    due_ns: u64,
}

impl Examination {
    /// Begins, when `losses` backups were lost already.
    pub fn new(now_ns: u64, losses: u64) -> Self {
        Self {
            watch: StateWatch::new(losses),
            step: DigestStep {
                work_bytes: *WORK_BYTES.start(),
                ..DigestStep::default()
            },
            due_ns: now_ns.saturating_add(INTERVAL_NS),
        }
    }
}

/// Returns the length of the next step, when one of `work_bytes` took `took_ns`. A step that came to the end of the
/// keyspace was shorter than it might have been.
fn next_work_bytes(work_bytes: u32, took_ns: u64, is_at_end: bool) -> u32 {
    let fitting = u64::from(work_bytes) * STEP_NS / took_ns.max(1);
    let most = if is_at_end {
        work_bytes
    } else {
        work_bytes.saturating_mul(2)
    };
    let next = u32::try_from(fitting).unwrap_or(u32::MAX);
    next.clamp(work_bytes / 2, most)
        .clamp(*WORK_BYTES.start(), *WORK_BYTES.end())
}

impl<H: Host> JournaledService<H> {
    /// Goes through a part of the state, if it is time, and appends a digest for the backup to compare. To be called in
    /// each round of the main loop. Returns what is wrong with this primary's state. `prefers_backup` says that a
    /// primary whose state is wrong is to give up to a backup that the journal makes.
    pub fn check_state(&mut self, prefers_backup: bool) -> Option<StateFault> {
        let now_ns = self.host.now_ns();
        if now_ns < self.examination.due_ns {
            return self.examination.watch.fault();
        }
        self.examination.due_ns = now_ns.saturating_add(INTERVAL_NS);
        self.look_at_losses(now_ns, prefers_backup);
        let step = self.examination.step;
        let examined = self.replica.examine(&step);
        let took_ns = self.host.now_ns().saturating_sub(now_ns);
        let is_at_end = examined.next.keyspace == Default::default();
        self.examination.step = DigestStep {
            work_bytes: next_work_bytes(step.work_bytes, took_ns, is_at_end),
            ..examined.next
        };
        if let Some(key) = examined.damaged_key
            && self.examination.watch.is_corrupt(now_ns, &key)
        {
            self.report_fault(Some(Text::of(key.escape_ascii())));
        }
        let digest = Digest {
            is_sound: self.is_comparable(prefers_backup),
            step,
            fingerprints: examined.fingerprints,
        };
        // Nobody else compares.
        if self.host.region().control.protection.state() == ProtectionState::Armed {
            self.commit(RecordKind::Digest, |payload| digest.encode(payload), |_| {});
        }
        self.examination.watch.fault()
    }

    /// Returns what is wrong with this primary's state, if something is.
    pub fn state_fault(&self) -> Option<StateFault> {
        self.examination.watch.fault()
    }

    /// Returns whether a backup that differs is to be replaced. If it is this primary that is wrong, the backup is the
    /// better one, unless two in a row differed and it is to go on nevertheless.
    fn is_comparable(&self, prefers_backup: bool) -> bool {
        match self.examination.watch.fault() {
            None => true,
            Some(StateFault::Corrupt) => false,
            Some(StateFault::Diverged) => !prefers_backup,
        }
    }

    fn look_at_losses(&mut self, now_ns: u64, prefers_backup: bool) {
        let last_loss = self.host.region().control.backup.last_loss();
        let is_protected = self.backup.is_protected();
        let watch = &mut self.examination.watch;
        if !watch.look(now_ns, is_protected, last_loss) {
            return;
        }
        self.report_fault(None);
        if !prefers_backup {
            // A backup from the journal would differ again: the next one is made from this state.
            self.checkpoints.ask();
        }
    }

    fn report_fault(&self, key: Option<Text>) {
        let watch = &self.examination.watch;
        if let Some(fault) = watch.fault() {
            let count = watch.faults();
            log::error!("{}", StateFaulty { fault, count, key });
        }
    }
}
