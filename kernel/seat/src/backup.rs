//! The backup while it waits: it gets ready, applies the journal, or is lost.

use core::sync::atomic::Ordering;

use alloc::boxed::Box;

use sharedmem::protection::ProtectionState;
use takeover::{Backup, BackupLoss, Event, State};

use crate::image::Source;
use crate::platform::Platform;
use crate::seat::Seat;
use crate::tenant::{Readiness, Tenant, Wait};

impl<P: Platform> Seat<P> {
    /// Lets the backup do what it can: get ready, or apply some of the journal.
    pub(crate) fn let_backup_work(&mut self) -> Wait {
        let is_waiting = matches!(
            self.machine.state(),
            State::Booting | State::Watching | State::Holding { .. }
        );
        if self.machine.backup() == Backup::Loading {
            return self.prepare_backup();
        }
        let Some(backup) = self.backup.as_mut().filter(|_| is_waiting) else {
            return Wait::Idle;
        };
        if self.control.protection.state() == ProtectionState::Dropped {
            self.lose_backup(BackupLoss::Dropped);
            return Wait::Idle;
        }
        let journal = &self.control.journal;
        let debug = &self.control.debug;
        let asked =
            debug.panic_backup.load(Ordering::Relaxed) | debug.hang_backup.load(Ordering::Relaxed);
        if journal.applied.load(Ordering::Acquire) == journal.consumed.load(Ordering::Relaxed)
            && asked == 0
        {
            return Wait::Idle;
        }
        match backup.work() {
            Ok(wait) => wait,
            Err(loss) => {
                self.lose_backup(loss);
                Wait::Idle
            }
        }
    }

    /// Takes the next step of a backup that gets ready.
    pub(crate) fn prepare_backup(&mut self) -> Wait {
        let protection = &self.control.protection;
        let Some(backup) = &mut self.backup else {
            return Wait::Idle;
        };
        // Nobody but a primary that lives can tell it the rest.
        let is_alone = matches!(self.machine.state(), State::Holding { .. } | State::Dead);
        let before = protection.state();
        match backup.prepare(&mut self.dispatch) {
            _ if before == ProtectionState::Dropped => self.lose_backup(BackupLoss::Dropped),
            Ok(Readiness::NotYet) => {}
            Ok(Readiness::Filling(Wait::Idle)) if is_alone => {
                self.lose_backup(BackupLoss::Unfilled)
            }
            Ok(Readiness::Filling(wait)) => {
                if before == ProtectionState::NoBackup {
                    protection.fill();
                }
                return wait;
            }
            Ok(Readiness::Ready) => {
                self.machine.set_lead(backup.cores().first().copied());
                // From the swap on the primary may give it up again, so nothing may be stored behind it.
                let is_armed = match before {
                    ProtectionState::Filling => protection.fill_to_arm(),
                    _ => {
                        protection.arm();
                        true
                    }
                };
                match is_armed {
                    true => self.step(self.now_ns(), Event::BackupReady),
                    false => self.lose_backup(BackupLoss::Dropped),
                }
            }
            Err(loss) => self.lose_backup(loss),
        }
        Wait::Idle
    }

    /// From now on this one gets ready, and waits.
    pub(crate) fn set_backup(&mut self, backup: Box<dyn Tenant<P>>) {
        self.control.backup.set_version(backup.version());
        self.backup = Some(backup);
    }

    /// The backup is no more; the primary goes on without.
    pub(crate) fn lose_backup(&mut self, loss: BackupLoss) {
        self.rearming.failed(self.now_ns());
        self.control.backup.set_version("");
        self.fall_back(loss);
        self.control.protection.withdraw();
        let lost = self
            .backup
            .take()
            .and_then(|backup| self.control.epitaphs[backup.instance()].read());
        if let Some(epitaph) = lost {
            log::error!("the backup's last words: {}", epitaph.message());
        }
        self.step(self.now_ns(), Event::BackupLost(loss));
    }

    /// An image that the operator had brought and that cannot wait is not tried again: the boot line's is loaded instead.
    fn fall_back(&mut self, loss: BackupLoss) {
        use BackupLoss::{Crashed, Failed, Hung, ImageRefused};
        let instance = 1 - self.owner_instance;
        let is_its_fault = matches!(loss, Crashed | Failed | Hung | ImageRefused);
        if is_its_fault && matches!(self.images[instance], Source::Brought(_)) {
            self.images[instance] = Source::of_boot_line(instance);
            self.rearming.ask();
            log::warn!(
                "event=fell-back instance={} reason=\"{loss}\"",
                ["a", "b"][instance]
            );
        }
    }
}
