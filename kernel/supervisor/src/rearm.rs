//! Loads the next backup after a takeover, beside the primary that serves meanwhile.

use sharedmem::Role;
use sharedmem::event::Arming;
use takeover::{Backup, BackupLoss, Event, State};

use crate::image::LoadRequest;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

/// How long after a backup was lost the next one is loaded, in ns; after each further loss in a row it is twice as
/// long.
const PAUSE_NS: u64 = 1_000_000_000;
/// So often it doubles.
const DOUBLINGS_MAX: u32 = 6;

/// When a new backup is loaded.
pub(crate) struct Rearming {
    is_automatic: bool,
    /// The next one is to be loaded in any case.
    is_asked: bool,
    /// Backups that were lost since the last takeover.
    failures: u32,
    not_before_ns: u64,
}

impl Rearming {
    /// Makes one that loads a backup after each takeover, or never.
    pub(crate) fn new(is_automatic: bool) -> Self {
        Self {
            is_automatic,
            is_asked: false,
            failures: 0,
            not_before_ns: 0,
        }
    }

    /// Notes that a backup was lost at `now_ns`. That nobody served who could fill it is no reason to wait longer for
    /// the next one.
    pub(crate) fn lost(&mut self, loss: BackupLoss, now_ns: u64) {
        if loss == BackupLoss::Unfilled {
            return;
        }
        self.not_before_ns = now_ns + (PAUSE_NS << self.failures.min(DOUBLINGS_MAX));
        self.failures += 1;
    }

    /// Returns whether the pause after the last loss is over.
    fn is_time(&self, now_ns: u64) -> bool {
        now_ns >= self.not_before_ns
    }

    /// Asks for another image at once, because the uploaded one is no good.
    pub(crate) fn ask(&mut self) {
        self.is_asked = true;
        self.not_before_ns = 0;
    }

    /// Notes that a backup became the primary.
    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.not_before_ns) = (0, 0);
    }
}

impl<P: Platform> Supervisor<P> {
    /// Loads a new backup, if there is none and it is time. A primary that lives has settled before: it has all its
    /// cores.
    pub(crate) fn rearm_if_due(&mut self) {
        let is_time = self.rearming.is_time(self.now_ns());
        let Backup::Lost(loss) = self.machine.backup() else {
            return;
        };
        let is_due = match self.machine.state() {
            State::Unprotected => {
                let is_wanted =
                    self.rearming.is_automatic && may_be_followed(loss) || self.rearming.is_asked;
                is_wanted && is_time && self.remaining.is_none()
            }
            // Nobody serves: whoever reads the journal to its end goes on.
            State::Dead => self.can_read_state(),
            _ => false,
        };
        if is_due {
            self.load_backup();
        }
    }

    /// Loads the instance that is not the primary, and lets it get ready.
    pub(crate) fn load_backup(&mut self) {
        let instance = self.primary_instance.other();
        let Some(primary) = &self.primary else { return };
        let cores = primary.cores().to_vec();
        let request = LoadRequest {
            instance,
            role: Role::Backup,
            source: self.images[instance],
            cores: &cores,
        };
        self.control.epitaphs[instance].clear();
        self.rearming.is_asked = false;
        let loaded = self.platform.load(&request);
        if self.machine.state() == State::Dead {
            self.resetting.loading();
        }
        self.step(self.now_ns(), Event::Rearmed);
        match loaded {
            Ok(backup) => {
                self.set_backup(backup);
                let arming = Arming {
                    instance,
                    core: None,
                    heap_bytes: Some(self.platform.heap_bytes() as u64),
                };
                log::info!("{arming}");
            }
            Err(reason) => {
                self.platform.report_refused(&request, &reason);
                self.lose_backup(BackupLoss::ImageRefused);
            }
        }
    }
}

/// Returns whether the next backup is loaded by itself after such a loss.
fn may_be_followed(loss: BackupLoss) -> bool {
    match loss {
        BackupLoss::Disarmed => false,
        // A refusal may be the fault of the monitor's own memory, so it is not final: the pause grows with each.
        BackupLoss::ImageRefused
        | BackupLoss::Failed
        | BackupLoss::Crashed
        | BackupLoss::Hung
        | BackupLoss::Dropped
        | BackupLoss::Promoted
        | BackupLoss::Unfilled
        | BackupLoss::Damaged
        | BackupLoss::Diverged
        | BackupLoss::Corrupt
        | BackupLoss::Overwritten => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_with_each_loss_in_a_row_up_to_about_a_minute() {
        let mut rearming = Rearming::new(true);
        assert!(rearming.is_time(0));
        for pause_s in [1, 2, 4, 8, 16, 32, 64, 64, 64] {
            rearming.lost(BackupLoss::Damaged, 7);
            let end_ns = 7 + pause_s * 1_000_000_000;
            assert!(!rearming.is_time(end_ns - 1));
            assert!(rearming.is_time(end_ns));
        }
        rearming.succeeded();
        assert!(rearming.is_time(0));
        rearming.lost(BackupLoss::Damaged, 0);
        assert!(rearming.is_time(PAUSE_NS));
    }

    #[test]
    fn backups_that_nobody_could_fill_do_not_put_off_the_next_one() {
        let mut rearming = Rearming::new(true);
        for _ in 0..10 {
            rearming.lost(BackupLoss::Unfilled, 7);
        }
        assert!(rearming.is_time(7));
        rearming.lost(BackupLoss::Crashed, 7);
        assert!(rearming.is_time(7 + PAUSE_NS));
    }

    #[test]
    fn a_refused_image_is_tried_again_after_a_pause() {
        // What refused it may have been the monitor's own memory.
        assert!(may_be_followed(BackupLoss::ImageRefused));
        let mut rearming = Rearming::new(true);
        rearming.lost(BackupLoss::ImageRefused, 0);
        assert!(!rearming.is_time(PAUSE_NS - 1) && rearming.is_time(PAUSE_NS));
    }

    #[test]
    fn another_image_than_the_one_that_was_no_good_is_not_waited_for() {
        let mut rearming = Rearming::new(false);
        rearming.lost(BackupLoss::ImageRefused, 7);
        rearming.ask();
        assert!(rearming.is_asked && rearming.is_time(0));
    }
}
