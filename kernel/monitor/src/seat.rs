//! The seat: the monitor's main loop. It feeds the takeover machine with what it sees, does what the machine asks, and lets the backup work
//! in between.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::clock::Clock;
use arch::cpu;
use ipi::{Ipi, LocalApic};
use sharedmem::SharedRegion;
use sharedmem::abi::EntryReason;
use sharedmem::protection::ProtectionState;
use takeover::timeline::Counter;
use takeover::{Action, BackupLoss, Beat, CoreSet, Event, Machine, Notice, Stage, State};

use crate::console::{MonitorConsole, Owner};
use crate::cores::{self, Order};
use crate::hardware::Hardware;
use crate::tenant::{Tenant, Wait};
use crate::traps;

/// A moment from INIT to SIPI when no machine counts it, in ns.
const SETTLE_NS: u64 = 50_000;

/// How often the seat looks for check-ins, in ns. A check-in cannot wake the seat: it is a word in memory.
const FENCE_POLL_NS: u64 = 10_000;

/// How long after its first keepalive an owner gets its further cores at the latest, in ns.
const REMAINING_LATEST_NS: u64 = 20_000_000;

/// How long a core that lingers may take to find its order, in ns; after that it has gone to sleep and is started anew.
const PICK_UP_NS: u64 = 20_000;

/// Cores that wait until their owner has settled.
pub struct Remaining {
    cores: CoreSet,
    latest_ns: u64,
}

/// The monitor's main loop and all it works on.
pub struct Seat<T: Tenant> {
    /// Decides.
    pub machine: Machine,
    /// Shared with the instances.
    pub region: SharedRegion,
    /// Time.
    pub clock: Clock,
    /// The seat's own.
    pub local_apic: &'static LocalApic,
    /// APIC id of each machine core.
    pub apic_ids: arrayvec::ArrayVec<u32, 32>,
    /// Interrupt controllers and devices.
    pub hardware: Hardware,
    /// While nobody else prints.
    pub console: MonitorConsole,
    /// The instance that waits, until it was promoted.
    pub backup: Option<T>,
    /// Number of the instance that owns the machine.
    pub owner_instance: usize,
    /// Cores that the owner is still to get.
    pub remaining: Option<Remaining>,
    /// Bytes the monitor itself takes.
    pub monitor_bytes: u64,
}

static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// How often the main loop came round; the seat's progress in its keepalives.
pub fn rounds() -> u64 {
    ROUNDS.load(Ordering::Relaxed)
}

impl<T: Tenant> Seat<T> {
    /// Watches for ever.
    pub fn keep(mut self) -> ! {
        loop {
            ROUNDS.fetch_add(1, Ordering::Relaxed);
            // Taken before the look: an interrupt that comes after it is a reason not to sleep.
            let seen = traps::wake_count();
            self.look();
            if matches!(self.machine.state(), State::Fencing(_)) {
                self.doze(seen, FENCE_POLL_NS);
                continue;
            }
            self.start_remaining();
            if self.let_backup_work() == Wait::More {
                continue;
            }
            self.sleep(seen);
        }
    }

    /// Sees what there is to see, at one time, and acts on it.
    fn look(&mut self) {
        if let State::Fencing(fence) = self.machine.state() {
            // The owner is condemned: only its cores' check-ins count.
            for core in fence.pending().iter() {
                let generation = cores::checked_in(core as usize);
                if generation == fence.generation() {
                    self.step(self.clock.now_ns(), Event::CheckedIn { core, generation });
                }
            }
            return self.step(self.clock.now_ns(), Event::Tick);
        }
        let now_ns = self.clock.now_ns();
        let control = self.region.control;
        if let Some(keepalive) = control.primary_keepalive.read() {
            let beat = Beat {
                sequence: keepalive.sequence,
                epoch: keepalive.epoch,
                cores: keepalive.cores,
                progress: keepalive.progress,
            };
            self.step(now_ns, Event::Observed(&beat));
        }
        if let Some(epitaph) = control.epitaphs[self.owner_instance].read() {
            self.step(
                now_ns,
                Event::Epitaph {
                    epoch: epitaph.epoch,
                    core: epitaph.core as u32,
                },
            );
        }
        self.step(self.clock.now_ns(), Event::Tick);
    }

    /// One step of the machine, and of those that follow from what it asks.
    pub fn step(&mut self, now_ns: u64, event: Event<'_>) {
        let mut actions = self.machine.step(now_ns, event);
        loop {
            let mut answer = None;
            for action in &actions {
                answer = self.act(*action).or(answer);
            }
            let Some(event) = answer else { return };
            actions = self.machine.step(self.clock.now_ns(), event);
        }
    }

    /// Does one thing. What is to be answered at once, is.
    fn act(&mut self, action: Action) -> Option<Event<'static>> {
        match action {
            Action::SendInit { core } => {
                cores::withdraw_order(core as usize);
                self.send(core, Ipi::Init);
            }
            Action::SendStartup { core, generation } => {
                cores::begin_generation(generation);
                cores::set_lingers(
                    core as usize,
                    self.machine.owner_cores().first() == Some(core),
                );
                self.send(
                    core,
                    Ipi::Startup {
                        page: cores::start_vector(),
                    },
                );
            }
            Action::SendNmi { core } => self.send(core, Ipi::Nmi),
            Action::RaiseEpoch { to } => return Some(self.raise_epoch(to)),
            Action::SeizeInterrupts => {
                self.hardware.seize_interrupts();
                return Some(Event::Completed(Stage::SeizeInterrupts));
            }
            Action::QuietDevices => {
                let is_quiet = self.hardware.quiet_devices();
                return Some(if is_quiet {
                    Event::Completed(Stage::QuietDevices)
                } else {
                    Event::Failed(Stage::QuietDevices)
                });
            }
            Action::Promote { core } => self.promote(core),
            Action::StartRemaining { cores } => {
                self.remaining = Some(Remaining {
                    cores,
                    latest_ns: self.clock.now_ns() + REMAINING_LATEST_NS,
                });
            }
            Action::Stamp { edge, at_ns } => {
                let epoch = self.timeline_epoch();
                self.region
                    .control
                    .timelines
                    .of_epoch(epoch)
                    .stamp(edge.index(), at_ns);
            }
            Action::Notify(notice) => self.tell(notice),
        }
        None
    }

    /// The epoch that the takeover under way leads to.
    fn timeline_epoch(&self) -> u64 {
        let is_raised = !matches!(self.machine.state(), State::Fencing(_));
        self.machine.epoch() + u64::from(!is_raised)
    }

    fn send(&self, core: u32, ipi: Ipi) {
        if let Some(id) = self.apic_ids.get(core as usize) {
            // A send that fails is a core that does not check in, which the fence sees.
            if let Err(error) = self.local_apic.send(*id, ipi) {
                log::error!("core {core}: {error}");
            }
        }
    }

    /// The old owner is stopped for good. Unless it had given the backup up before, the machine is in a new epoch from here on.
    fn raise_epoch(&mut self, to: u64) -> Event<'static> {
        let control = self.region.control;
        if !control.protection.claim() {
            return Event::BackupLost(BackupLoss::Dropped);
        }
        control.epoch.reset(to);
        control.primary_keepalive.clear();
        self.console.give_to(control, Owner::Nobody);
        Event::Completed(Stage::RaiseEpoch)
    }

    /// Sends the backup to `core`, which has just checked in and may still be awake.
    fn promote(&mut self, core: u32) {
        let Some(backup) = self.backup.take() else {
            return;
        };
        let control = self.region.control;
        self.owner_instance = backup.instance();
        control
            .header
            .primary_instance
            .store(self.owner_instance as u64, Ordering::Release);
        control.epitaphs[self.owner_instance].clear();
        control.protection.withdraw();
        traps::set_owner(self.apic_ids[core as usize]);
        cores::leave_order(core as usize, backup.order(EntryReason::Promote, 0));
        self.clock
            .spin_until(PICK_UP_NS, || !cores::has_order(core as usize));
        // A core that has taken the order up is inside the backup by now and must not be struck again: only one that sleeps is started.
        if cores::withdraw_order(core as usize) {
            self.start(core, backup.order(EntryReason::Promote, 0));
        }
        self.hardware.owner = Some(backup.roster());
    }

    /// Starts the owner's further cores, once it has settled: until then they would only be in its way.
    fn start_remaining(&mut self) {
        let owner = self.region.control.console_owner.load(Ordering::Acquire);
        let has_settled = owner == self.owner_instance as u64 + 1;
        let is_due =
            |remaining: &mut Remaining| has_settled || self.clock.now_ns() >= remaining.latest_ns;
        let Some(Remaining { cores, .. }) = self.remaining.take_if(is_due) else {
            return;
        };
        let Some(roster) = self.hardware.owner.clone() else {
            return;
        };
        for core in cores.iter() {
            if let Some(index) = roster.index_of(core) {
                self.start(core, roster.order(EntryReason::JoinCore, index));
            }
        }
    }

    /// Starts a stopped core with an order.
    pub fn start(&self, core: u32, order: Order) {
        cores::withdraw_order(core as usize);
        self.send(core, Ipi::Init);
        self.clock.spin_ns(SETTLE_NS);
        cores::leave_order(core as usize, order);
        self.send(
            core,
            Ipi::Startup {
                page: cores::start_vector(),
            },
        );
    }

    /// Lets the backup apply some of the journal, if it may and there is some.
    fn let_backup_work(&mut self) -> Wait {
        let is_waiting = matches!(
            self.machine.state(),
            State::Booting | State::Watching | State::Holding { .. }
        );
        let Some(backup) = self.backup.as_mut().filter(|_| is_waiting) else {
            return Wait::Idle;
        };
        if self.region.control.protection.state() == ProtectionState::Dropped {
            self.lose_backup(BackupLoss::Dropped);
            return Wait::Idle;
        }
        let journal = &self.region.control.journal;
        let debug = &self.region.control.debug;
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

    /// The backup is no more; the primary goes on without.
    pub fn lose_backup(&mut self, loss: BackupLoss) {
        self.region.control.protection.withdraw();
        let lost = self
            .backup
            .take()
            .and_then(|backup| self.region.control.epitaphs[backup.instance()].read());
        if let Some(epitaph) = lost {
            log::error!("the backup's last words: {}", epitaph.message());
        }
        self.step(self.clock.now_ns(), Event::BackupLost(loss));
    }

    /// Sleeps until the next keepalive, or until something is due.
    fn sleep(&mut self, seen: u64) {
        if self.console.pump(self.region.control) {
            return;
        }
        self.doze(seen, u64::MAX);
    }

    /// Sleeps until an interrupt beyond the `seen` ones, until the machine wants its next tick, or for `most_ns`.
    fn doze(&mut self, seen: u64, most_ns: u64) {
        let now_ns = self.clock.now_ns();
        let until_deadline = self
            .machine
            .deadline_ns()
            .map(|deadline_ns| deadline_ns.saturating_sub(now_ns));
        match until_deadline.unwrap_or(u64::MAX).min(most_ns) {
            0 => return,
            u64::MAX => {}
            sleep_ns => traps::arm_timer(sleep_ns),
        }
        cpu::wait_unless(|| traps::wake_count() != seen);
    }

    fn tell(&mut self, notice: Notice) {
        let control = self.region.control;
        match notice {
            Notice::TakeoverBegan { cause, epoch } => {
                // The dead owner gets no further cores.
                self.remaining = None;
                control.timelines.of_epoch(epoch).begin(
                    epoch,
                    cause.code(),
                    cause.core().unwrap_or(0).into(),
                );
                control
                    .timelines
                    .of_epoch(epoch)
                    .count(Counter::FenceRounds.index(), 1);
            }
            Notice::FenceRetry { round, .. } => {
                let timeline = control.timelines.of_epoch(self.machine.epoch() + 1);
                timeline.count(Counter::FenceRounds.index(), round.into());
            }
            Notice::Refused(takeover::Refusal::Unproven { missing }) => {
                self.console.give_to(control, Owner::Monitor);
                log::error!("event=fence-refused cores=\"{missing}\"");
            }
            // An owner that was believed dead and is not, prints again.
            Notice::OwnerUp { .. } if self.console.is_taken() => {
                let owner = Owner::Instance(self.owner_instance);
                self.console.give_to(control, owner);
            }
            Notice::Refused(_) | Notice::Dead(_) => self.console.give_to(control, Owner::Monitor),
            _ => {}
        }
        log::info!("{notice}");
    }
}
