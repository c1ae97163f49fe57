//! Shared by the tests of the machine: a configuration, beats, and a rig that drives the machine through a takeover.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use sharedmem::MAX_CORES;
use sharedmem::keepalive::Keepalive;
use takeover::{
    Action, Config, CoreSet, DetectorConfig, Event, FenceConfig, Machine, Notice, Stage, State,
};

pub const MS: u64 = 1_000_000;
pub const TIMEOUT: u64 = 10 * MS;
pub const BOOT_TIMEOUT: u64 = 200 * MS;
pub const BACKUP_WAIT: u64 = 100 * MS;
pub const SETTLE: u64 = 50_000;
pub const LEAVE: u64 = 200_000;
pub const FIRST_EPOCH: u64 = 7;
pub const STAGES: [Stage; 3] = [
    Stage::RaiseEpoch,
    Stage::SeizeInterrupts,
    Stage::QuietDevices,
];

pub fn set(cores: &[u32]) -> CoreSet {
    CoreSet::from_cores(cores.iter().copied()).unwrap()
}

pub fn detector_config() -> DetectorConfig {
    DetectorConfig {
        keepalive_ns: MS,
        timeout_ns: TIMEOUT,
        boot_timeout_ns: BOOT_TIMEOUT,
    }
}

pub fn config() -> Config {
    Config {
        detector: detector_config(),
        fence: FenceConfig::default(),
        backup_wait_ns: BACKUP_WAIT,
        first_epoch: FIRST_EPOCH,
        spare: set(&[3, 4, 5]),
    }
}

/// Returns beat number `sequence` of a peer whose three cores all move.
pub fn beat(epoch: u64, sequence: u64) -> Keepalive {
    Keepalive {
        time_ns: 0,
        sequence,
        epoch,
        cores: 3,
        progress: [sequence; MAX_CORES],
    }
}

/// A machine and its clock.
pub struct Rig {
    pub machine: Machine,
    pub now: u64,
    pub sequence: u64,
}

impl Rig {
    pub fn new() -> Self {
        Self {
            machine: Machine::new(config(), 0).unwrap(),
            now: 0,
            sequence: 0,
        }
    }

    /// Makes a rig whose primary runs on cores 1, 2, 3 and whose backup is ready.
    pub fn protected() -> Self {
        let mut rig = Self::new();
        rig.step(Event::PrimaryStarted {
            cores: set(&[1, 2, 3]),
        });
        rig.step(Event::BackupReady);
        rig.beat();
        assert!(rig.machine.is_protected());
        rig
    }

    /// Makes a protected rig whose primary has just panicked, so that INIT is under way.
    pub fn fencing() -> Self {
        let mut rig = Self::protected();
        rig.epitaph();
        assert!(matches!(rig.state(), State::Fencing(_)));
        rig
    }

    /// Makes a fencing rig all of whose cores have checked in.
    pub fn fenced() -> Self {
        let mut rig = Self::fencing();
        rig.tick_after(SETTLE);
        rig.check_in(&[1, 2, 3]);
        assert_eq!(rig.state(), State::Preparing(Stage::RaiseEpoch));
        rig
    }

    /// Makes a rig whose backup was promoted and has not sent a beat yet.
    pub fn promoting() -> Self {
        let mut rig = Self::fenced();
        for stage in STAGES {
            rig.step(Event::Completed(stage));
        }
        assert_eq!(rig.state(), State::Promoting);
        rig
    }

    pub fn state(&self) -> State {
        self.machine.state()
    }

    pub fn step(&mut self, event: Event<'_>) -> Vec<Action> {
        self.machine.step(self.now, event).to_vec()
    }

    /// Lets time pass for an executor that ticks at each deadline; returns what all the ticks caused.
    pub fn tick_after(&mut self, wait_ns: u64) -> Vec<Action> {
        let end = self.now + wait_ns;
        let mut all = Vec::new();
        loop {
            let due = self.machine.deadline_ns().unwrap_or(end);
            self.now = due.clamp(self.now + 1, end.max(self.now + 1)).min(end);
            all.extend(self.step(Event::Tick));
            if self.now == end {
                return all;
            }
        }
    }

    /// Lets time pass while the executor is absent; returns what its next tick causes.
    pub fn tick_after_absence(&mut self, absence_ns: u64) -> Vec<Action> {
        self.now += absence_ns;
        self.step(Event::Tick)
    }

    /// Passes the primary's next beat, now.
    pub fn beat(&mut self) -> Vec<Action> {
        self.sequence += 1;
        let beat = beat(self.machine.epoch(), self.sequence);
        self.step(Event::Observed(&beat))
    }

    pub fn epitaph(&mut self) -> Vec<Action> {
        let epoch = self.machine.epoch();
        self.step(Event::Epitaph { epoch, core: 1 })
    }

    /// Passes check-ins of these cores with the generation of the fence under way; returns what the last one caused.
    pub fn check_in(&mut self, cores: &[u32]) -> Vec<Action> {
        let generation = self.machine.generation();
        cores.iter().fold(Vec::new(), |_, core| {
            self.step(Event::CheckedIn {
                core: *core,
                generation,
            })
        })
    }

    /// Ticks at each deadline until the fence ends; returns what the last tick caused.
    pub fn run_fence_dry(&mut self) -> Vec<Action> {
        let mut last = Vec::new();
        while let State::Fencing(_) = self.state() {
            self.now = self.now.max(self.machine.deadline_ns().unwrap());
            last = self.step(Event::Tick);
        }
        last
    }
}

pub fn notices(actions: &[Action]) -> Vec<Notice> {
    actions
        .iter()
        .filter_map(|action| {
            if let Action::Notify(notice) = action {
                Some(*notice)
            } else {
                None
            }
        })
        .collect()
}

/// Returns the actions without the notices.
pub fn deeds(actions: &[Action]) -> Vec<Action> {
    actions
        .iter()
        .filter(|action| !matches!(action, Action::Notify(_)))
        .copied()
        .collect()
}
