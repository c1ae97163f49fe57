//! The fence: stops every core of a dead primary for good, with proof.
//!
//! INIT stops an application processor in any state (Intel SDM vol. 3A, 9.4), but it is asynchronous: after the ICR
//! write, the core may still run for milliseconds. So each core is sent INIT, then SIPI into a page of the monitor's,
//! where it *checks in*. The check-in is the only proof that it has stopped.
//!
//! ```text
//! round:  [NMI - settle -] INIT - settle - SIPI - wait for check-ins --> all in: proven
//!         (from round 4)    ^                             |
//!                           +---- those missing, wait x2 -+--> last round: refused
//! ```
//!
//! A check-in carries the *generation* that the core found in the page, a number that every round raises when it sends
//! SIPI. A check-in counts only if it carries the newest generation, and only while no INIT is on its way. One from
//! boot or from an earlier fence proves nothing. One from an earlier round proves that the core had stopped, but it
//! crossed an INIT that takes the core out of the page again, where a new primary cannot use it. The core checks in
//! once more after this round's SIPI, so waiting for that loses nothing.
//!
//! The executor must provide for three things: a core may enter the page more than once; INIT revokes any job that
//! waits for the core in the page; an NMI may hit a core that is already in the page, so the page must handle one.

use crate::cores::CoreSet;

/// The first round that sends an NMI before INIT: the dead kernel's NMI handler may dump registers and stop the core by
/// itself. Earlier rounds send none, because it runs through the dead kernel's descriptor table, which may be damaged.
pub const NMI_FROM_ROUND: u32 = 4;

/// Times and number of rounds of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FenceConfig {
    /// Pause from NMI to INIT, and from INIT to SIPI, in ns.
    pub settle_ns: u64,
    /// How long the first round waits for check-ins, in ns. Each round doubles it.
    pub check_in_ns: u64,
    /// Maximum number of rounds.
    pub tries_max: u32,
}

impl Default for FenceConfig {
    fn default() -> Self {
        Self {
            settle_ns: 50_000,
            check_in_ns: 5_000_000,
            tries_max: 6,
        }
    }
}

impl FenceConfig {
    /// Returns the longest time a fence can take, in ns, if it is stepped at each of its deadlines.
    pub fn worst_case_ns(&self) -> u64 {
        (1..=self.tries_max).fold(0, |sum: u64, round| {
            sum.saturating_add(self.round_ns(round))
        })
    }

    fn round_ns(&self, round: u32) -> u64 {
        let settles = if round >= NMI_FROM_ROUND { 2 } else { 1 };
        self.settle_ns
            .saturating_mul(settles)
            .saturating_add(self.wait_ns(round))
    }

    fn wait_ns(&self, round: u32) -> u64 {
        let doubled = 1_u64
            .checked_shl(round.saturating_sub(1))
            .unwrap_or(u64::MAX);
        self.check_in_ns.saturating_mul(doubled)
    }
}

/// What a step of the fence asks for. No set is ever empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Do nothing before the next check-in or the deadline.
    Wait,
    /// Send these cores an NMI.
    Nmi(CoreSet),
    /// Send these cores INIT.
    Init(CoreSet),
    /// Send these cores SIPI into the fence page, after writing the fence's generation there.
    Startup(CoreSet),
    /// Every core has checked in: none of them runs the old primary any more.
    Proven,
    /// These cores did not check in. They may still be running.
    Refused(CoreSet),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next round is to begin.
    Begin,
    /// NMI was sent.
    Dumping { until_ns: u64 },
    /// INIT was sent.
    Settling { until_ns: u64 },
    /// SIPI was sent.
    Waiting { until_ns: u64 },
}

/// One fence. Each step asks for at most one strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    config: FenceConfig,
    generation: u64,
    pending: CoreSet,
    round: u32,
    phase: Phase,
    /// The wait of this round has begun anew.
    is_excused: bool,
}

impl Fence {
    /// Makes a fence around `cores`. `generation` is the newest ever used; the fence's rounds use the following ones.
    pub fn new(config: FenceConfig, generation: u64, cores: CoreSet) -> Self {
        Self {
            config,
            generation,
            pending: cores,
            round: 0,
            phase: Phase::Begin,
            is_excused: false,
        }
    }

    /// Records that `core` checked in with the `generation` it found in the fence page. Returns true if that is new
    /// proof.
    pub fn check_in(&mut self, core: u32, generation: u64) -> bool {
        // A check-in that arrives while an INIT is on its way has crossed that INIT.
        let is_in_page = matches!(self.phase, Phase::Dumping { .. } | Phase::Waiting { .. });
        let counts = is_in_page && generation == self.generation && self.pending.contains(core);
        if counts {
            self.pending = self.pending.without(core);
        }
        counts
    }

    /// Returns the next strike that is due at `now_ns`.
    pub fn step(&mut self, now_ns: u64) -> Strike {
        if self.pending.is_empty() {
            return Strike::Proven;
        }
        match self.phase {
            Phase::Begin => self.begin_round(now_ns),
            Phase::Dumping { until_ns } if now_ns >= until_ns => self.init(now_ns),
            Phase::Settling { until_ns } if now_ns >= until_ns => self.startup(now_ns),
            Phase::Waiting { until_ns } if now_ns >= until_ns => self.begin_round(now_ns),
            Phase::Dumping { .. } | Phase::Settling { .. } | Phase::Waiting { .. } => Strike::Wait,
        }
    }

    /// Excuses the cores at `now_ns`, because the executor was absent and they may have been as well: once in a round,
    /// they get the whole wait for their check-ins again.
    pub fn excuse(&mut self, now_ns: u64) {
        let wait_ns = self.config.wait_ns(self.round);
        if let Phase::Waiting { until_ns } = &mut self.phase
            && !core::mem::replace(&mut self.is_excused, true)
        {
            *until_ns = now_ns.saturating_add(wait_ns);
        }
    }

    fn begin_round(&mut self, now_ns: u64) -> Strike {
        if self.round >= self.config.tries_max {
            return Strike::Refused(self.pending);
        }
        self.round += 1;
        self.is_excused = false;
        if self.round < NMI_FROM_ROUND {
            return self.init(now_ns);
        }
        self.phase = Phase::Dumping {
            until_ns: now_ns.saturating_add(self.config.settle_ns),
        };
        Strike::Nmi(self.pending)
    }

    fn init(&mut self, now_ns: u64) -> Strike {
        self.phase = Phase::Settling {
            until_ns: now_ns.saturating_add(self.config.settle_ns),
        };
        Strike::Init(self.pending)
    }

    fn startup(&mut self, now_ns: u64) -> Strike {
        self.generation = self.generation.saturating_add(1);
        let wait_ns = self.config.wait_ns(self.round);
        self.phase = Phase::Waiting {
            until_ns: now_ns.saturating_add(wait_ns),
        };
        Strike::Startup(self.pending)
    }

    /// Returns when to step again if no check-in comes before, in ns. Returns 0, which is always past, if a step is due
    /// now.
    pub fn deadline_ns(&self) -> u64 {
        match self.phase {
            Phase::Begin => 0,
            _ if self.pending.is_empty() => 0,
            Phase::Dumping { until_ns }
            | Phase::Settling { until_ns }
            | Phase::Waiting { until_ns } => until_ns,
        }
    }

    /// Returns the cores that have not checked in yet.
    pub fn pending(&self) -> CoreSet {
        self.pending
    }

    /// Returns the round under way, from 1; 0 before the first step.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Returns the newest generation, which a check-in must carry to count.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
