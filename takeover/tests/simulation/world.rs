//! The world around the simulated machine: cores, a keepalive slot, signals on their way, an executor.
//!
//! A SIPI may be lost, a few times per core and fence. The executor polls the fence page's check-in words in every
//! wake-up, so each check-in is reported many times, and those of earlier fences again and again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::hardware::{Core, Runs};
use fastrand::Rng;
use sharedmem::MAX_CORES;
use sharedmem::keepalive::Keepalive;
use takeover::{
    Action, Actions, Config, CoreSet, DetectorConfig, Event, FenceConfig, Machine, Notice, Stage,
};

pub const MS: u64 = 1_000_000;
pub const US: u64 = 1000;
const TIMEOUT: u64 = 10 * MS;
const BOOT_TIMEOUT: u64 = 100 * MS;

/// Maximum number of SIPIs to one core that a fence may lose. It is below the number of rounds, so that a working core
/// does check in.
const LOSSES_MAX: u32 = 3;

/// How the primary dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It panics. Its last IPI may get lost; its epitaph is then found at the next wake-up, if `writes_epitaph`.
    Panic { writes_epitaph: bool },
    /// Every core stops without an epitaph.
    Silence,
    /// One core stands still; the keepalives go on.
    HungCore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    BeatDue { epoch: u64 },
    Wake,
    Timer { number: u64 },
    Signal { core: u32 },
    TakeJob { core: u32 },
    BackupReady,
    PrimaryStarts,
}

/// The instance that is the primary.
#[derive(Clone, Copy, Debug)]
pub struct Primary {
    pub lead: u32,
    pub cores: CoreSet,
    pub beats: bool,
    pub hung: Option<u32>,
}

pub struct World {
    pub machine: Machine,
    pub now: u64,
    pub notices: Vec<Notice>,
    pub(super) seed: u64,
    pub(super) rng: Rng,
    pub(super) queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    pub(super) queued: u64,
    pub(super) cores: [Core; MAX_CORES],
    pub(super) present: CoreSet,
    pub(super) primary: Primary,
    pub(super) slot: Keepalive,
    /// What the fence page holds for cores to check in with.
    pub(super) page_generation: u64,
    pub(super) epitaph: Option<(u64, u32)>,
    pub(super) done: Vec<Stage>,
    pub(super) timer: u64,
    pub(super) observer_away_until: u64,
}

impl World {
    pub const FIRST_EPOCH: u64 = 1;

    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let present = CoreSet::from_cores(1..=rng.u32(1..=7)).unwrap();
        let detector = DetectorConfig {
            keepalive_ns: MS,
            timeout_ns: TIMEOUT,
            boot_timeout_ns: BOOT_TIMEOUT,
        };
        let config = Config {
            detector,
            fence: FenceConfig::default(),
            backup_wait_ns: 100 * MS,
            first_epoch: Self::FIRST_EPOCH,
            spare: present,
        };
        Self {
            machine: Machine::new(config, 0).unwrap(),
            now: 0,
            notices: Vec::new(),
            seed,
            rng,
            queue: BinaryHeap::new(),
            queued: 0,
            cores: [Core::AT_BOOT; MAX_CORES],
            present,
            primary: Primary {
                lead: 1,
                cores: present,
                beats: true,
                hung: None,
            },
            slot: Keepalive {
                time_ns: 0,
                sequence: 0,
                epoch: 0,
                cores: present.len() as u32,
                progress: [0; MAX_CORES],
            },
            page_generation: 0,
            epitaph: None,
            done: Vec::new(),
            timer: 0,
            observer_away_until: 0,
        }
    }

    pub fn describe(&self) -> String {
        format!(
            "seed {}, {} ns, {:?}, {:?}",
            self.seed,
            self.now,
            self.machine.state(),
            self.notices
        )
    }

    /// Starts the primary, and starts to load the backup.
    pub fn boot(&mut self) {
        self.pass(Event::PrimaryStarted {
            cores: self.present,
        });
        let delay = self.rng.u64(0..5 * MS);
        self.after(delay, Happening::PrimaryStarts);
        self.rearm_in(0..80 * MS);
        self.arm_timer();
    }

    /// Loads a new backup, which gets ready after a while.
    pub fn rearm(&mut self) {
        self.pass(Event::Rearmed);
        self.rearm_in(0..50 * MS);
    }

    fn rearm_in(&mut self, delays: std::ops::Range<u64>) {
        let delay = self.rng.u64(delays);
        self.after(delay, Happening::BackupReady);
    }

    pub fn any_death(&mut self) -> Death {
        match self.rng.u8(0..4) {
            0 => Death::Silence,
            1 => Death::HungCore,
            2 => Death::Panic {
                writes_epitaph: true,
            },
            _ => Death::Panic {
                writes_epitaph: self.rng.bool(),
            },
        }
    }

    /// Kills the primary after a short while.
    pub fn kill(&mut self, death: Death) {
        let delay = self.rng.u64(0..5 * MS);
        self.run_until(delay, |_| false);
        match death {
            Death::Silence => self.primary.beats = false,
            Death::HungCore => {
                self.primary.hung = Some(self.rng.u32(0..self.primary.cores.len() as u32))
            }
            Death::Panic { writes_epitaph } => {
                self.primary.beats = false;
                self.epitaph = writes_epitaph.then_some((self.machine.epoch(), 0));
                if self.rng.bool() {
                    self.after(2 * US, Happening::Wake);
                }
            }
        }
    }

    /// Takes the observer away from now on.
    pub fn send_observer_away(&mut self, away_ns: u64) {
        self.observer_away_until = self.now + away_ns;
    }

    /// Makes one of the primary's cores ignore every signal.
    pub fn stick_a_core(&mut self) -> u32 {
        let stuck = self.rng.u32(1..=self.present.len() as u32);
        self.cores[stuck as usize].is_stuck = true;
        stuck
    }

    pub fn free_the_core(&mut self) {
        self.cores.iter_mut().for_each(|core| core.is_stuck = false);
    }

    pub fn request_retry(&mut self) {
        self.pass(Event::RetryRequested);
        self.arm_timer();
    }

    /// Returns the longest time a takeover may take: detection, the longest fence, the first beat of the new primary,
    /// and some room for late timers.
    pub fn takeover_bound_ns(&self) -> u64 {
        2 * TIMEOUT + FenceConfig::default().worst_case_ns() + BOOT_TIMEOUT
    }

    /// Returns the cores that really run the primary of the machine's epoch.
    pub fn primary_runs_on(&mut self) -> CoreSet {
        self.run_until(20 * MS, |_| false);
        let epoch = self.machine.epoch();
        CoreSet::from_cores(
            self.present
                .iter()
                .filter(|core| self.cores[*core as usize].runs == Runs::Instance(epoch)),
        )
        .unwrap()
    }

    /// Lets `duration_ns` pass, or less if `is_over` before; returns whether it was.
    pub fn run_until(&mut self, duration_ns: u64, is_over: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + duration_ns;
        while !is_over(self) {
            match self.queue.peek() {
                Some(Reverse((at, ..))) if *at <= end => {}
                _ => {
                    self.now = end;
                    return false;
                }
            }
            if let Some(Reverse((at, _, happening))) = self.queue.pop() {
                self.now = at;
                self.happen(happening);
            }
        }
        true
    }

    pub(super) fn after(&mut self, delay_ns: u64, happening: Happening) {
        self.queued += 1;
        self.queue
            .push(Reverse((self.now + delay_ns, self.queued, happening)));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake => self.wake(),
            Happening::Timer { number } if number == self.timer => self.wake(),
            Happening::Timer { .. } => {}
            Happening::BeatDue { epoch } => self.beat(epoch),
            Happening::Signal { core } => self.handle_signals(core),
            Happening::TakeJob { core } => self.take_job(core),
            Happening::BackupReady => {
                self.pass(Event::BackupReady);
                self.arm_timer();
            }
            Happening::PrimaryStarts => self.run_instance(self.primary.lead, Self::FIRST_EPOCH),
        }
    }

    /// Wakes the monitor: observe, then everything else, then tick.
    fn wake(&mut self) {
        if self.now < self.observer_away_until {
            self.after(self.observer_away_until - self.now, Happening::Wake);
            return;
        }
        if self.slot.sequence > 0 {
            let slot = self.slot;
            self.pass(Event::Observed(&slot));
        }
        if let Some((epoch, core)) = self.epitaph {
            self.pass(Event::Epitaph { epoch, core });
        }
        for core in self.present.iter() {
            if let Some(generation) = self.cores[core as usize].checked_in {
                self.pass(Event::CheckedIn { core, generation });
            }
        }
        for stage in std::mem::take(&mut self.done) {
            self.pass(Event::Completed(stage));
            if self.rng.u8(0..4) == 0 {
                self.pass(Event::Completed(stage));
            }
        }
        self.pass(Event::Tick);
        self.arm_timer();
    }

    fn arm_timer(&mut self) {
        self.timer += 1;
        if let Some(deadline) = self.machine.deadline_ns() {
            let lateness = self.rng.u64(0..20 * US);
            self.after(
                deadline.saturating_sub(self.now) + lateness,
                Happening::Timer { number: self.timer },
            );
        }
    }

    fn pass(&mut self, event: Event<'_>) {
        let epoch_before = self.machine.epoch();
        let actions: Actions = self.machine.step(self.now, event);
        for action in actions {
            self.act(action, epoch_before);
        }
    }

    fn init(&mut self, core: u32) {
        assert_ne!(core, 0, "{}", self.describe());
        let victim = &mut self.cores[core as usize];
        victim.job = None;
        // An INIT overrides what was sent before and not handled.
        (victim.has_init, victim.has_startup) = (true, false);
        self.send(core);
    }

    fn startup(&mut self, core: u32) {
        let victim = &mut self.cores[core as usize];
        if victim.losses < LOSSES_MAX && self.rng.u8(0..5) == 0 {
            victim.losses += 1;
        } else {
            victim.has_startup = true;
            self.send(core);
        }
    }

    fn act(&mut self, action: Action, epoch_before: u64) {
        match action {
            Action::SendInit { cores } => cores.iter().for_each(|core| self.init(core)),
            Action::SendStartup { cores, generation } => {
                self.page_generation = generation;
                cores.iter().for_each(|core| self.startup(core));
            }
            Action::SendNmi { .. } | Action::Stamp { .. } => {}
            Action::RaiseEpoch { to } => {
                self.check_that_nobody_runs(epoch_before);
                assert_eq!(to, epoch_before + 1);
                self.finish(Stage::RaiseEpoch);
            }
            Action::SeizeInterrupts => self.finish(Stage::SeizeInterrupts),
            Action::QuietDevices => self.finish(Stage::QuietDevices),
            Action::Promote { core } | Action::Restart { core } => {
                self.epitaph = None;
                self.primary = Primary {
                    lead: core,
                    cores: self.present,
                    beats: true,
                    hung: None,
                };
                self.cores.iter_mut().for_each(|core| core.losses = 0);
                self.give_job(core);
            }
            Action::StartRemaining { cores } => cores.iter().for_each(|core| self.start(core)),
            Action::Notify(notice) => self.notices.push(notice),
        }
    }

    /// Checks the first law by what is true, not by what was reported.
    fn check_that_nobody_runs(&self, epoch: u64) {
        for core in self.present.iter() {
            let runs = self.cores[core as usize].runs;
            assert_ne!(
                runs,
                Runs::Instance(epoch),
                "core {core} still runs; {}",
                self.describe()
            );
        }
    }

    fn finish(&mut self, stage: Stage) {
        self.done.push(stage);
        let delay = self.rng.u64(0..100 * US);
        self.after(delay, Happening::Wake);
    }
}
