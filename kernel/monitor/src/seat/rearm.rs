//! The next backup: loaded by itself after a takeover, beside a native primary that serves meanwhile.

use takeover::{Backup, BackupLoss, Event, State};

use super::Seat;
use crate::loader::{Role, Source, refuse_image};

/// How long after a backup was lost the next one is loaded, in ns; after each further loss in a row it is twice as long.
const PAUSE_NS: u64 = 1_000_000_000;
/// So often it doubles.
const DOUBLINGS_MAX: u32 = 6;

/// When a new backup is loaded.
pub struct Rearming {
    is_automatic: bool,
    /// Backups that were lost since the last takeover.
    failures: u32,
    not_before_ns: u64,
}

impl Rearming {
    /// Never, or after each takeover.
    pub fn new(is_automatic: bool) -> Self {
        Self {
            is_automatic,
            failures: 0,
            not_before_ns: 0,
        }
    }

    /// A backup was lost at `now_ns`.
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.not_before_ns = now_ns + (PAUSE_NS << self.failures.min(DOUBLINGS_MAX));
        self.failures += 1;
    }

    /// A backup became the primary.
    pub(super) fn succeeded(&mut self) {
        (self.failures, self.not_before_ns) = (0, 0);
    }
}

impl Seat {
    /// Loads a new backup, if there is none and it is time. An owner that lives has settled before: it has all its cores.
    pub(super) fn rearm_if_due(&mut self) {
        let is_time = self.now_ns() >= self.rearming.not_before_ns;
        let is_due = match self.machine.backup() {
            Backup::Lost(BackupLoss::ImageRefused | BackupLoss::Disarmed) => false,
            Backup::Lost(_) => match self.machine.state() {
                State::Unprotected => {
                    is_time && self.rearming.is_automatic && self.remaining.is_none()
                }
                // Nobody serves: whoever reads the journal to its end goes on.
                State::Dead => self.can_read_state(),
                _ => false,
            },
            Backup::Loading | Backup::Ready => false,
        };
        if is_due {
            self.load_backup();
        }
    }

    fn load_backup(&mut self) {
        let instance = 1 - self.owner_instance;
        let source = match instance {
            0 => Source::Primary,
            _ => Source::Failover,
        };
        let Some(owner) = &self.owner else { return };
        let cores = owner.cores().to_vec();
        self.region.control.epitaphs[instance].clear();
        let loaded = self.loader.load(instance, Role::Backup, &source, &cores);
        if self.machine.state() == State::Dead {
            self.resetting.loading();
        }
        self.step(self.now_ns(), Event::Rearmed);
        match loaded {
            Ok(backup) => {
                log::info!("event=arming instance={}", ["a", "b"][instance]);
                self.backup = Some(backup);
            }
            Err(reason) => {
                refuse_image(self.loader.ready(), instance, &source, &reason);
                self.lose_backup(BackupLoss::ImageRefused);
            }
        }
    }
}
