//! From loaded instances to a machine that is watched.

use alloc::boxed::Box;

use sharedmem::console::ConsoleOwner;
use sharedmem::protection::ProtectionState;
use takeover::{Backup, BackupLoss, CoreError, CoreSet, Event};

use crate::platform::Platform;
use crate::supervisor::{PREPARE_POLL_NS, Supervisor};
use crate::tenant::{Tenant, Wait};

impl<P: Platform> Supervisor<P> {
    /// Gets the first backup ready, before the primary starts: so that a native one sees the journal from its
    /// beginning, and a Linux one can be lent a core. `None` if its image was refused.
    pub fn arm_first(&mut self, loaded: Option<Box<dyn Tenant<P::Cores>>>) {
        let Some(backup) = loaded else {
            return self.lose_backup(BackupLoss::ImageRefused);
        };
        self.set_backup(backup);
        while self.machine.backup() == Backup::Loading {
            let seen = self.platform.wake_count();
            let wait = self.prepare_backup();
            self.console.pump(self.control);
            let is_filling = self.control.protection.state() == ProtectionState::Filling;
            match wait {
                Wait::More => {}
                // What was left in memory does not make the whole state: the primary has to tell it.
                Wait::Idle if is_filling => break,
                Wait::Idle if self.machine.backup() == Backup::Loading => {
                    self.sleep_until(seen, PREPARE_POLL_NS);
                }
                Wait::Idle => {}
            }
        }
    }

    /// Starts the first primary on its first core; the others follow when it has shown that it lives. `None` if its
    /// image was refused.
    ///
    /// # Errors
    /// Its cores cannot be a primary's: the seat is among them. Nothing was started.
    pub fn start_first(
        &mut self,
        loaded: Option<Box<dyn Tenant<P::Cores>>>,
    ) -> Result<(), CoreError> {
        self.console.flush(self.control);
        let Some(primary) = loaded else {
            self.step(self.now_ns(), Event::PrimaryRefused);
            return Ok(());
        };
        let lead = primary.cores()[0];
        let cores = CoreSet::from_cores(primary.cores().iter().copied())?;
        self.console.give_to(self.control, ConsoleOwner::Nobody);
        let order = primary.start();
        self.set_primary(primary, lead);
        self.dispatch.start([(lead, order)]);
        self.step(self.now_ns(), Event::PrimaryStarted { cores });
        Ok(())
    }
}
