//! Replaces one primary by the next: raises the epoch, enters the successor, starts its further cores.

use core::sync::atomic::Ordering;

use alloc::boxed::Box;

use sharedmem::Role;
use sharedmem::console::ConsoleOwner;
use sharedmem::control::NOTHING_RETAINED;
use sharedmem::event::CoresLeftOut;
use sharedmem::protection::ProtectionState;
use takeover::{Backup, BackupLoss, CoreSet, Event, Stage, Successor};

use crate::image::LoadRequest;
use crate::platform::Platform;
use crate::supervisor::Supervisor;
use crate::tenant::Tenant;

/// How long after its first keepalive a primary gets its further cores at the latest, in ns.
const REMAINING_LATEST_NS: u64 = 20_000_000;

/// Cores that wait until their primary has settled.
pub(crate) struct Remaining {
    cores: CoreSet,
    latest_ns: u64,
}

impl Remaining {
    /// Makes these cores wait for a primary that starts at `now_ns`.
    pub(crate) fn of(cores: CoreSet, now_ns: u64) -> Self {
        Self {
            cores,
            latest_ns: now_ns + REMAINING_LATEST_NS,
        }
    }
}

impl<P: Platform> Supervisor<P> {
    /// Raises the epoch, as the old primary is stopped for good; fails if that had given the backup up before.
    pub(crate) fn raise_epoch(&mut self, to: u64) -> Event<'static> {
        let control = self.control;
        if self.machine.successor() == Successor::Backup && !control.protection.claim() {
            let is_dropped = control.protection.state() == ProtectionState::Dropped;
            return self.let_backup_go(match is_dropped {
                true => BackupLoss::Dropped,
                false => BackupLoss::Overwritten,
            });
        }
        control.epoch.reset(to);
        self.known_words.wrote("epoch", to);
        control.primary_keepalive.clear();
        self.console.give_to(control, ConsoleOwner::Nobody);
        Event::Completed(Stage::RaiseEpoch)
    }

    /// Sends the backup to `core`, which has just checked in and may still be awake.
    pub(crate) fn promote(&mut self, core: u32) -> Option<Event<'static>> {
        let control = self.control;
        let order = match self.backup.as_mut()?.promote() {
            Ok(order) => order,
            Err(loss) => {
                log::error!("the backup cannot be promoted: {loss}");
                self.let_backup_go(loss);
                return Some(Event::PrimaryRefused);
            }
        };
        let backup = self.backup.take()?;
        self.primary_instance = backup.instance();
        control.header.set_primary(self.primary_instance);
        let number = self.primary_instance.number();
        self.known_words.wrote("primary_instance", number);
        control.protection.withdraw();
        control.backup.version.set("");
        self.rearming.succeeded();
        self.set_primary(backup, core);
        self.dispatch.assign(core, order);
        None
    }

    /// Starts the primary's image again.
    pub(crate) fn restart(&mut self, core: u32) -> Option<Event<'static>> {
        // A backup that was getting ready did so on one of the cores that were just stopped.
        if self.machine.backup() == Backup::Loading {
            self.lose_backup(BackupLoss::Failed);
        }
        // What it asked for is being done, whatever comes of it.
        self.clear_last_words();
        // It stays until the next one is there: without that, a backup is loaded on its cores.
        let ended = self.primary.as_ref()?;
        let request = LoadRequest {
            instance: ended.instance(),
            role: Role::Primary,
            source: *ended.source(),
            cores: ended.cores(),
        };
        match self.platform.load(&request) {
            Ok(tenant) => {
                let order = tenant.start();
                self.set_primary(tenant, core);
                self.dispatch.start([(core, order)]);
                None
            }
            Err(reason) => {
                log::error!("the primary cannot be started again: {reason}");
                Some(Event::PrimaryRefused)
            }
        }
    }

    /// Makes `primary` the one that is watched, before it runs.
    pub(crate) fn set_primary(&mut self, primary: Box<dyn Tenant<P::Cores>>, lead: u32) {
        self.note_version(&*primary);
        self.clear_last_words();
        let control = self.control;
        let capabilities = primary.capabilities();
        self.machine.set_may_virtualize(capabilities.may_virtualize);
        let takes_interrupts = capabilities.takes_keepalive_interrupts;
        self.keepalive_answer
            .answer_to(takes_interrupts.then_some(lead));
        if !capabilities.drives_console {
            self.console.give_to(control, ConsoleOwner::Monitor);
        }
        if !capabilities.reads_journal {
            // It keeps its state elsewhere, and writes over the journal as soon as its backup has read it.
            control
                .journal
                .retained
                .store(NOTHING_RETAINED, Ordering::Release);
        }
        self.primary = Some(primary);
    }

    /// Clears what the primary that ended has said, and was told, last.
    fn clear_last_words(&self) {
        let (control, instance) = (self.control, self.primary_instance);
        control.epitaphs[instance].clear();
        control.condemned[instance].clear();
        let reset = &control.resume_slots[instance].reset;
        reset.store(0, Ordering::Release);
    }

    /// Notes which version was loaded as an instance.
    pub(crate) fn note_version(&self, tenant: &dyn Tenant<P::Cores>) {
        self.control.versions[tenant.instance()].set(tenant.version());
    }

    /// Leaves cores out that did not come for their orders: they run nothing, and owe no fence a proof.
    pub(crate) fn leave_out(&mut self, cores: CoreSet) {
        if cores.is_empty() {
            return;
        }
        log::error!(
            "{}",
            CoresLeftOut {
                cores: cores.iter().collect()
            }
        );
        let of_primary = self
            .primary
            .as_ref()
            .map(|primary| primary.cores().to_vec());
        let of_primary = of_primary.unwrap_or_default();
        for core in cores.iter() {
            let index = of_primary.iter().position(|own| *own == core);
            let event = Event::CoreLeftOut {
                core,
                index: index.map(|index| index as u32),
            };
            self.step(self.now_ns(), event);
        }
    }

    /// Starts the primary's further cores once it has settled: until then they would only slow it down.
    pub(crate) fn start_remaining(&mut self) {
        let has_settled = self.control.console.owner() == self.primary_instance.into();
        let now_ns = self.now_ns();
        let is_due = |remaining: &mut Remaining| has_settled || now_ns >= remaining.latest_ns;
        let Some(Remaining { cores, .. }) = self.remaining.take_if(is_due) else {
            return;
        };
        let Some(primary) = &self.primary else { return };
        let order_for = |core| primary.join(core).map(|order| (core, order));
        self.dispatch.start(cores.iter().filter_map(order_for));
    }
}
