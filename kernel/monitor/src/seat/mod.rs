//! The seat: the monitor's main loop. It feeds the takeover machine with what it sees, does what the machine asks, and lets the backup work
//! in between.

use core::sync::atomic::{AtomicU64, Ordering};

use alloc::boxed::Box;

use arch::cpu;
use ipi::Ipi;
use sharedmem::SharedRegion;
use sharedmem::abi::MAX_INSTANCES;
use sharedmem::epitaph::EpitaphCause;
use takeover::timeline::Counter;
use takeover::{Action, Backup, Beat, Ending, Event, Machine, Notice, Stage, State};

mod backup;
mod ownership;
mod rearm;
mod reset;

pub use ownership::Remaining;
pub use rearm::Rearming;
pub use reset::Resetting;

use crate::console::{MonitorConsole, Owner};
use crate::cores;
use crate::dispatch::Dispatch;
use crate::hardware::Hardware;
use crate::loader::{Loader, Source};
use crate::tenant::{Tenant, Wait};
use crate::traps;

/// How often the seat looks for check-ins, in ns. A check-in cannot wake the seat: it is a word in memory.
const FENCE_POLL_NS: u64 = 10_000;

/// How often the seat looks after a backup that gets ready on a core of its own, in ns.
pub const PREPARE_POLL_NS: u64 = 1_000_000;

/// How often the seat looks whether the owner wants to reset the machine, in ns. A Linux goes on to the next means 15 ms after it tried
/// ACPI's.
const RESET_POLL_NS: u64 = 2_000_000;

/// The monitor's main loop and all it works on.
pub struct Seat {
    /// Decides.
    pub machine: Machine,
    /// Shared with the instances.
    pub region: SharedRegion,
    /// Moves the other cores.
    pub dispatch: Dispatch,
    /// Interrupt controllers and devices.
    pub hardware: Hardware,
    /// While nobody else prints.
    pub console: MonitorConsole,
    /// Loads instances.
    pub loader: Loader,
    /// The instance that waits, or gets ready to; until it was promoted.
    pub backup: Option<Box<dyn Tenant>>,
    /// The instance that owns the machine.
    pub owner: Option<Box<dyn Tenant>>,
    /// Its number.
    pub owner_instance: usize,
    /// Cores that the owner is still to get.
    pub remaining: Option<Remaining>,
    /// Where the image of each instance comes from when it is loaded next.
    pub images: [Source; MAX_INSTANCES],
    /// When a new backup is loaded.
    pub rearming: Rearming,
    /// When the machine is reset.
    pub resetting: Resetting,
}

static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// How often the main loop came round; the seat's progress in its keepalives.
pub fn rounds() -> u64 {
    ROUNDS.load(Ordering::Relaxed)
}

impl Seat {
    /// Watches for ever.
    pub fn keep(mut self) -> ! {
        loop {
            ROUNDS.fetch_add(1, Ordering::Relaxed);
            // Taken before the look: an interrupt that comes after it is a reason not to sleep.
            let seen = traps::wake_count();
            self.look();
            self.dispatch.chase();
            if matches!(self.machine.state(), State::Fencing(_)) {
                self.doze(seen, FENCE_POLL_NS);
                continue;
            }
            self.start_remaining();
            self.answer_operator();
            self.rearm_if_due();
            self.reset_if_hopeless();
            if self.let_backup_work() == Wait::More {
                continue;
            }
            self.sleep(seen);
        }
    }

    /// The time, in ns since the machine's boot.
    pub fn now_ns(&self) -> u64 {
        self.dispatch.clock.now_ns()
    }

    /// Sees what there is to see, at one time, and acts on it.
    fn look(&mut self) {
        if let State::Fencing(fence) = self.machine.state() {
            // The owner is condemned: only its cores' check-ins count.
            for core in fence.pending().iter() {
                let generation = cores::checked_in(core as usize);
                if generation == fence.generation() {
                    self.step(self.now_ns(), Event::CheckedIn { core, generation });
                }
            }
            return self.step(self.now_ns(), Event::Tick);
        }
        let now_ns = self.now_ns();
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
            let (epoch, core) = (epitaph.epoch, epitaph.core as u32);
            let event = match epitaph.cause {
                Some(EpitaphCause::Reboot) => Event::Ended {
                    epoch,
                    ending: Ending::Reboot,
                },
                Some(EpitaphCause::Switchover) => Event::Ended {
                    epoch,
                    ending: Ending::Switchover,
                },
                _ => Event::Epitaph { epoch, core },
            };
            // Learned of now: what it tells of may have happened since this look began.
            self.step(self.now_ns(), event);
        } else if self.wants_reset() {
            let (epoch, ending) = (self.machine.epoch(), Ending::Reboot);
            self.step(now_ns, Event::Ended { epoch, ending });
        }
        self.step(self.now_ns(), Event::Tick);
    }

    /// Whether the owner has written to what it takes for the machine's reset register.
    fn wants_reset(&self) -> bool {
        let may = self.owner.as_ref().is_some_and(|owner| owner.may_reset());
        let word = &self.region.control.linux[self.owner_instance].reset;
        may && word.load(Ordering::Acquire) != 0
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
            actions = self.machine.step(self.now_ns(), event);
        }
    }

    /// Does one thing. What is to be answered at once, is.
    fn act(&mut self, action: Action) -> Option<Event<'static>> {
        match action {
            Action::SendInit { core } => self.dispatch.init(core),
            Action::SendStartup { core, generation } => {
                cores::begin_generation(generation);
                let leads = self.machine.next_lead() == Some(core);
                cores::set_lingers(core as usize, leads);
                self.dispatch.startup(core);
            }
            Action::SendNmi { core } => self.dispatch.send(core, Ipi::Nmi),
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
            Action::Promote { core } => return self.promote(core),
            Action::Restart { core } => return self.restart(core),
            Action::StartRemaining { cores } => {
                self.remaining = Some(Remaining::of(cores, self.now_ns()));
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

    /// Sleeps until the next keepalive, or until something is due.
    fn sleep(&mut self, seen: u64) {
        if self.console.pump(self.region.control) {
            return;
        }
        let is_loading = self.machine.backup() == Backup::Loading && self.backup.is_some();
        let may_reset = self.owner.as_ref().is_some_and(|owner| owner.may_reset());
        self.doze(
            seen,
            match (is_loading, may_reset) {
                (true, _) => PREPARE_POLL_NS,
                (false, true) => RESET_POLL_NS,
                (false, false) => self.hopeless_poll_ns(),
            },
        );
    }

    /// Sleeps until an interrupt beyond the `seen` ones, until the machine wants its next tick, or for `most_ns`.
    pub fn doze(&mut self, seen: u64, most_ns: u64) {
        let now_ns = self.now_ns();
        let deadlines_ns = [self.machine.deadline_ns(), self.dispatch.deadline_ns()];
        let until_deadline = deadlines_ns
            .into_iter()
            .flatten()
            .map(|deadline_ns| deadline_ns.saturating_sub(now_ns))
            .min();
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
            Notice::OwnerUp { .. }
                if self.console.is_taken()
                    && self
                        .owner
                        .as_ref()
                        .is_some_and(|owner| owner.takes_interrupts()) =>
            {
                let owner = Owner::Instance(self.owner_instance);
                self.console.give_to(control, owner);
            }
            Notice::Refused(_) | Notice::Dead(_) => self.console.give_to(control, Owner::Monitor),
            _ => {}
        }
        log::info!("{notice}");
    }
}
