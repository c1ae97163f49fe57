//! The backup while it waits: it gets ready, applies the journal, or is lost.

use core::sync::atomic::Ordering;

use alloc::boxed::Box;

use sharedmem::event::FellBack;
use sharedmem::keepalive::KeepaliveOf;
use sharedmem::protection::ProtectionState;
use takeover::{Backup, BackupLoss, Event, State};

use crate::image::Source;
use crate::platform::Platform;
use crate::supervisor::Supervisor;
use crate::tenant::{Readiness, Tenant, Wait};

/// How long a backup is still called after it last had something to do, in ns. It makes sockets ready when there is
/// nothing to apply.
const AFTERMATH_NS: u64 = 100_000_000;

/// How often it is called in any case, in ns, because what it has made ready ages. Each call delays the look at the
/// primary.
const VISIT_NS: u64 = 1_000_000_000;

/// When a waiting backup is called.
#[derive(Default)]
pub(crate) struct Visits {
    /// When it had something to do last, in ns since the machine's boot.
    busy_ns: u64,
    /// When it was called last.
    called_ns: u64,
}

impl Visits {
    /// Returns whether to call it at `now_ns`; `is_busy` if there is something for it to do.
    fn is_due(&mut self, now_ns: u64, is_busy: bool) -> bool {
        if is_busy {
            self.busy_ns = now_ns;
        }
        let age_ns = |then_ns: u64| now_ns.saturating_sub(then_ns);
        let is_due = age_ns(self.busy_ns) < AFTERMATH_NS || age_ns(self.called_ns) >= VISIT_NS;
        if is_due {
            self.called_ns = now_ns;
        }
        is_due
    }

    /// Notes that it has more to do.
    fn goes_on(&mut self, now_ns: u64) {
        self.busy_ns = now_ns;
    }
}

/// A waiting backup whose state is not the primary's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubted {
    /// Why.
    loss: BackupLoss,
    /// The number of the primary's last keepalive when that was found.
    keepalive: Option<u64>,
}

impl<P: Platform> Supervisor<P> {
    /// Lets the backup do what it can: get ready, or apply some of the journal.
    pub(crate) fn let_backup_work(&mut self) -> Wait {
        let is_waiting = matches!(
            self.machine.state(),
            State::Booting | State::Watching | State::Holding { .. }
        );
        if self.machine.backup() == Backup::Loading {
            return self.prepare_backup();
        }
        let is_due = self.is_call_due();
        let Some(backup) = self.backup.as_mut().filter(|_| is_waiting) else {
            return Wait::Idle;
        };
        match self.control.protection.state() {
            ProtectionState::Armed | ProtectionState::Claimed => {}
            ProtectionState::Dropped => {
                self.lose_backup(BackupLoss::Dropped);
                return Wait::Idle;
            }
            // The primary reads the same: it may have used the room of what the backup has not read.
            ProtectionState::NoBackup | ProtectionState::Filling => {
                self.lose_backup(BackupLoss::Overwritten);
                return Wait::Idle;
            }
        }
        if let Some(doubted) = self.doubted {
            self.replace_doubted(doubted);
            return Wait::Idle;
        }
        if !is_due {
            return Wait::Idle;
        }
        match backup.work() {
            Ok(Wait::More) => {
                self.visits.goes_on(self.dispatch.now_ns());
                Wait::More
            }
            Ok(wait) => wait,
            Err(loss @ (BackupLoss::Damaged | BackupLoss::Diverged | BackupLoss::Corrupt)) => {
                self.doubted = Some(Doubted {
                    loss,
                    keepalive: self.primary_sequence(),
                });
                Wait::Idle
            }
            Err(loss) => {
                self.lose_backup(loss);
                Wait::Idle
            }
        }
    }

    /// Compares some memory that must not change with its digest: the monitor's own, and that of a backup that waits. A
    /// damaged backup is given up at once, whether the primary is alive or not. Not until a new primary has settled:
    /// the seat shares caches and memory with it.
    pub(crate) fn check_memory(&mut self) {
        let now_ns = self.now_ns();
        self.platform.check_memory(now_ns);
        if self.machine.backup() != Backup::Ready {
            return;
        }
        let checked = self.backup.as_mut().map(|it| it.check_memory(now_ns));
        if let Some(Err(loss)) = checked {
            self.lose_backup(loss);
        }
    }

    /// Gives a backup up whose state is not the primary's, as soon as the primary is heard of. If it is dead instead,
    /// nobody has a better state than this backup, which then says what it lacks and reads anew what it can.
    fn replace_doubted(&mut self, doubted: Doubted) {
        if self.primary_sequence() != doubted.keepalive {
            self.lose_backup(doubted.loss);
        }
    }

    /// Returns the number of the primary's last keepalive.
    fn primary_sequence(&self) -> Option<u64> {
        let keepalive: KeepaliveOf<0> = self.control.primary_keepalive.read_of()?;
        Some(keepalive.sequence)
    }

    /// Returns whether the backup is to be called: it has something to do, or may have.
    fn is_call_due(&mut self) -> bool {
        let (journal, debug) = (&self.control.journal, &self.control.debug);
        let asked =
            debug.panic_backup.load(Ordering::Relaxed) | debug.hang_backup.load(Ordering::Relaxed);
        let (applied, consumed) = (&journal.applied, &journal.consumed);
        let lags = applied.load(Ordering::Acquire) != consumed.load(Ordering::Relaxed);
        let now_ns = self.now_ns();
        self.visits.is_due(now_ns, lags || asked != 0)
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
            Ok(Readiness::NotYet(wait)) => return wait,
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

    /// Makes `backup` the one that gets ready and waits.
    pub(crate) fn set_backup(&mut self, backup: Box<dyn Tenant<P::Cores>>) {
        self.control.backup.version.set(backup.version());
        self.note_version(&*backup);
        self.doubted = None;
        self.backup = Some(backup);
    }

    /// Gives the backup up; the primary goes on without one.
    pub(crate) fn lose_backup(&mut self, loss: BackupLoss) {
        let lost = self.let_backup_go(loss);
        self.step(self.now_ns(), lost);
    }

    /// Withdraws and drops the backup. Returns what the takeover machine is to be told.
    pub(crate) fn let_backup_go(&mut self, loss: BackupLoss) -> Event<'static> {
        self.rearming.lost(loss, self.now_ns());
        self.control.backup.version.set("");
        self.fall_back(loss);
        self.control.protection.withdraw();
        let lost = self
            .backup
            .take()
            .and_then(|backup| self.control.epitaphs[backup.instance()].read());
        if let Some(epitaph) = lost {
            log::error!("the backup's last words: {}", epitaph.message());
        }
        Event::BackupLost(loss)
    }

    /// Returns to the boot line's image if the backup was lost by the fault of an uploaded one.
    fn fall_back(&mut self, loss: BackupLoss) {
        let instance = self.primary_instance.other();
        if is_images_fault(loss) && matches!(self.images[instance], Source::Uploaded(_)) {
            self.images[instance] = Source::of_boot_line(instance);
            self.rearming.ask();
            log::warn!("{}", FellBack { instance, loss });
        }
    }
}

/// Returns whether a backup was lost because of its image, so that it would be lost again.
fn is_images_fault(loss: BackupLoss) -> bool {
    match loss {
        BackupLoss::ImageRefused | BackupLoss::Failed | BackupLoss::Crashed | BackupLoss::Hung => {
            true
        }
        BackupLoss::Dropped
        | BackupLoss::Promoted
        | BackupLoss::Disarmed
        | BackupLoss::Unfilled
        | BackupLoss::Damaged
        | BackupLoss::Diverged
        | BackupLoss::Corrupt
        | BackupLoss::Overwritten => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_called_while_it_has_something_to_do_for_a_while_after_and_now_and_then() {
        let mut visits = Visits::default();
        let busy_ns = 5 * VISIT_NS;
        assert!(visits.is_due(busy_ns, true));
        assert!(visits.is_due(busy_ns + AFTERMATH_NS - 1, false));
        assert!(!visits.is_due(busy_ns + AFTERMATH_NS, false));
        let called_ns = busy_ns + AFTERMATH_NS - 1;
        assert!(!visits.is_due(called_ns + VISIT_NS - 1, false));
        assert!(visits.is_due(called_ns + VISIT_NS, false));
        visits.goes_on(called_ns + VISIT_NS);
        assert!(visits.is_due(called_ns + VISIT_NS + 1, false));
    }
}
