//! The main loop: what it looks at, in which order, and how long it sleeps.

use core::sync::atomic::Ordering;

use alloc::boxed::Box;

use partition::Kinds;
use partition::tenant::Capabilities;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::keepalive::Keepalive;
use sharedmem::obstacle::{Obstacle, Obstacles};
use sharedmem::{Control, Instance, PerInstance};
use takeover::{Backup, Ending, Event, Machine, State};

use crate::backup::{Doubted, Visits};
use crate::compute::Slices;
use crate::console::Console;
use crate::dispatch::Dispatch;
use crate::image::Source;
use crate::keepalive_answer::KeepaliveAnswer;
use crate::known_words::KnownWords;
use crate::platform::Platform;
use crate::rearm::Rearming;
use crate::reset::{Resetting, Stopping};
use crate::succession::Remaining;
use crate::tenant::{Tenant, Wait};

/// How often the supervisor looks for check-ins, in ns. A check-in is a word in memory and wakes nobody.
const FENCE_POLL_NS: u64 = 10_000;

/// How often the supervisor looks after a backup that gets ready on a core of its own, in ns.
pub(crate) const PREPARE_POLL_NS: u64 = 1_000_000;

/// How often the supervisor looks whether the primary wants to reset the machine, in ns. A Linux goes on to the next
/// means 15 ms after it tried ACPI's.
const RESET_POLL_NS: u64 = 2_000_000;

/// What the boot line and the plan say of the supervisor's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After a takeover a new backup is loaded by itself.
    pub rearms: bool,
    /// When nobody serves and nobody can, the machine is reset.
    pub resets: bool,
    /// What kinds of tenant the two instances are.
    pub kinds: Kinds,
}

/// The monitor's main loop and all it works on.
pub struct Supervisor<P: Platform> {
    /// Decides.
    pub(crate) machine: Machine,
    /// Shared with the instances.
    pub(crate) control: &'static Control,
    /// Moves the other cores.
    pub(crate) dispatch: Dispatch<P::Cores>,
    /// The rest of the hardware, and what loads instances.
    pub(crate) platform: P,
    /// While nobody else prints.
    pub(crate) console: Console<P::Port>,
    /// Answers the primary's keepalives.
    pub(crate) keepalive_answer: &'static KeepaliveAnswer,
    pub(crate) policy: Policy,
    /// The instance that waits, or gets ready to; until it was promoted.
    pub(crate) backup: Option<Box<dyn Tenant<P::Cores>>>,
    /// The instance that owns the machine.
    pub(crate) primary: Option<Box<dyn Tenant<P::Cores>>>,
    /// Which one that is.
    pub(crate) primary_instance: Instance,
    /// Cores that the primary is still to get.
    pub(crate) remaining: Option<Remaining>,
    /// Where the image of each instance comes from when it is loaded next.
    pub(crate) images: PerInstance<Source>,
    /// When the backup that waits is called.
    pub(crate) visits: Visits,
    /// Why the backup that waits is to be replaced.
    pub(crate) doubted: Option<Doubted>,
    /// When a new backup is loaded.
    pub(crate) rearming: Rearming,
    /// Slices for computations.
    pub(crate) slices: Slices,
    /// When the machine is reset.
    pub(crate) resetting: Resetting,
    /// When the rest of an ordered end is done.
    pub(crate) stopping: Stopping,
    /// What the monitor alone writes in the shared region.
    pub(crate) known_words: KnownWords,
    /// What was told last.
    obstacles: Obstacles,
    /// Place for the primary's keepalive; empty while a step looks at it.
    keepalive: Option<Box<Keepalive>>,
}

impl<P: Platform> Supervisor<P> {
    /// Makes the supervisor of a machine without a primary and without a backup.
    pub fn new(
        machine: Machine,
        control: &'static Control,
        cores: P::Cores,
        platform: P,
        console: Console<P::Port>,
        keepalive_answer: &'static KeepaliveAnswer,
        policy: Policy,
    ) -> Self {
        Self {
            machine,
            control,
            dispatch: Dispatch::new(cores),
            platform,
            console,
            keepalive_answer,
            policy,
            backup: None,
            primary: None,
            primary_instance: Instance::A,
            remaining: None,
            images: PerInstance::from_fn(Source::of_boot_line),
            visits: Visits::default(),
            doubted: None,
            // A primary that lends a core asks by itself for the backup that boots there.
            rearming: Rearming::new(policy.rearms && !policy.kinds.any(|it| it.boots_on_lent_core)),
            slices: Slices::default(),
            resetting: Resetting::new(policy.resets),
            stopping: Stopping::default(),
            known_words: KnownWords::of(control),
            obstacles: Obstacles::NONE,
            keepalive: Some(Box::new(Keepalive::first(0, 0))),
        }
    }

    /// Returns the takeover machine, to be looked at.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Returns the instance that owns the machine.
    pub fn primary_instance(&self) -> Instance {
        self.primary_instance
    }

    /// Returns the hardware.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Watches for ever.
    pub fn run(mut self) -> ! {
        loop {
            self.round();
        }
    }

    /// Looks once, does what is to be done, and sleeps until there is more.
    pub fn round(&mut self) {
        self.keepalive_answer.count_round();
        // Taken before the look: an interrupt that comes after it is a reason not to sleep.
        let seen = self.platform.wake_count();
        self.look();
        if matches!(self.machine.state(), State::Fencing(_)) {
            return self.sleep_until(seen, FENCE_POLL_NS);
        }
        let given_up = self.dispatch.retry_pending();
        let given_up = self.slices.take_missing(given_up);
        self.leave_out(given_up);
        self.tell_obstacles();
        self.known_words.restore();
        self.start_remaining();
        if self.remaining.is_none() {
            self.check_memory();
            self.watch_slices();
        }
        self.answer_operator();
        self.rearm_if_due();
        self.reset_if_hopeless();
        self.stop_if_told();
        if self.let_backup_work() == Wait::Idle {
            self.sleep(seen);
        }
    }

    /// Tells what keeps a takeover from following, as far as the protection word does not.
    fn tell_obstacles(&mut self) {
        let refusal = match self.machine.state() {
            State::Refused(refusal) => Some(refusal),
            _ => None,
        };
        // A slice whose cores do not come keeps no takeover from following.
        let misses_cores = self.dispatch.misses_cores_beside(self.slices.cores());
        let obstacles = Obstacles::NONE
            .with_if(Obstacle::CoresMissing, misses_cores)
            .with_if(Obstacle::BackupDoubted, self.doubted.is_some())
            .with_if(
                Obstacle::FenceRefused,
                matches!(refusal, Some(takeover::Refusal::Unproven { .. })),
            )
            .with_if(
                Obstacle::StageRefused,
                matches!(refusal, Some(takeover::Refusal::StageFailed(_))),
            );
        if self.obstacles != obstacles {
            self.obstacles = obstacles;
            let word = obstacles.word();
            self.known_words.wrote("obstacles", word);
            self.control.obstacles.store(word, Ordering::Release);
        }
    }

    /// Returns the time, in ns since the machine's boot.
    pub(crate) fn now_ns(&self) -> u64 {
        self.dispatch.now_ns()
    }

    /// Sees what there is to see, at one time, and acts on it.
    fn look(&mut self) {
        if let State::Fencing(fence) = self.machine.state() {
            // The primary is condemned: only its cores' check-ins count.
            for core in fence.pending().iter() {
                let generation = self.dispatch.mailboxes().checked_in(core);
                if generation == fence.generation() {
                    self.step(self.now_ns(), Event::CheckedIn { core, generation });
                }
            }
            return self.step(self.now_ns(), Event::Tick);
        }
        let now_ns = self.now_ns();
        let control = self.control;
        if let Some(mut keepalive) = self.keepalive.take() {
            if control.primary_keepalive.read_into(&mut *keepalive) {
                self.step(now_ns, Event::Observed(&keepalive));
            }
            self.keepalive = Some(keepalive);
        }
        if let Some(epitaph) = control.epitaphs[self.primary_instance].read() {
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
                Some(EpitaphCause::PowerOff | EpitaphCause::Halt) => Event::Ended {
                    epoch,
                    ending: Ending::Stop,
                },
                Some(
                    EpitaphCause::Panic
                    | EpitaphCause::Exception
                    | EpitaphCause::Superseded
                    | EpitaphCause::BootFailed
                    | EpitaphCause::Application
                    | EpitaphCause::Service
                    | EpitaphCause::Device
                    | EpitaphCause::MemoryChanged
                    | EpitaphCause::State,
                )
                | None => Event::Epitaph { epoch, core },
            };
            // Learned of now: what it tells of may have happened since this look began.
            self.step(self.now_ns(), event);
        } else if self.wants_reset() {
            let (epoch, ending) = (self.machine.epoch(), Ending::Reboot);
            self.step(now_ns, Event::Ended { epoch, ending });
        }
        self.step(self.now_ns(), Event::Tick);
    }

    /// Returns whether there is a primary and it can `question`.
    pub(crate) fn primary_can(&self, question: impl Fn(&Capabilities) -> bool) -> bool {
        self.primary
            .as_ref()
            .is_some_and(|primary| question(primary.capabilities()))
    }

    /// Returns whether the primary has written to what it takes for the machine's reset register.
    fn wants_reset(&self) -> bool {
        let may = self.primary_can(|it| it.resets_through_memory);
        let word = &self.control.resume_slots[self.primary_instance].reset;
        may && word.load(Ordering::Acquire) != 0
    }

    /// Sleeps until the next keepalive, or until something is due.
    fn sleep(&mut self, seen: u64) {
        if self.console.pump(self.control) || self.platform.idle(self.control) {
            return;
        }
        let is_loading = self.machine.backup() == Backup::Loading && self.backup.is_some();
        let may_reset = self.primary_can(|it| it.resets_through_memory);
        let most_ns = match (is_loading, may_reset) {
            (true, _) => PREPARE_POLL_NS,
            (false, true) => RESET_POLL_NS,
            (false, false) => self.hopeless_poll_ns(),
        };
        // Slices are not looked at while a primary is fenced, or has not settled.
        let look_ns = match self.remaining {
            None => self.slices.deadline_ns().unwrap_or(u64::MAX),
            Some(_) => u64::MAX,
        };
        let until_look_ns = look_ns.saturating_sub(self.now_ns());
        self.sleep_until(seen, most_ns.min(until_look_ns));
    }

    /// Sleeps until an interrupt beyond the `seen` ones, until the machine wants its next tick, or for `most_ns`.
    pub(crate) fn sleep_until(&mut self, seen: u64, most_ns: u64) {
        let now_ns = self.now_ns();
        let deadlines_ns = [self.machine.deadline_ns(), self.dispatch.deadline_ns()];
        let until_deadline = deadlines_ns
            .into_iter()
            .flatten()
            .map(|deadline_ns| deadline_ns.saturating_sub(now_ns))
            .min();
        match until_deadline.unwrap_or(u64::MAX).min(most_ns) {
            0 => {}
            u64::MAX => self.platform.sleep(seen, None),
            sleep_ns => self.platform.sleep(seen, Some(sleep_ns)),
        }
    }
}
