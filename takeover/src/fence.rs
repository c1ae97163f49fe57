//! The fence: stops every core of a dead primary for good, with proof.
//!
//! INIT stops an application processor (Intel SDM vol. 3A, 9.4), also one with interrupts off, but it is asynchronous:
//! after the ICR write, the core may still run for milliseconds. So each core is sent INIT, then SIPI into a page of
//! the monitor's, where it *checks in*. The check-in is the only proof that it has stopped.
//!
//! ```text
//! round:  [NMI - leave -] INIT - settle - SIPI - wait for check-ins --> all in: proven
//!          ^                                            |
//!          +----------- those missing, wait x2 ---------+--> last round: refused
//! ```
//!
//! # Virtualization
//!
//! INIT does not stop every core. It is held while the core is in VMX root operation, and strikes at VMXOFF (Intel SDM
//! vol. 3C, 24.8); in VMX non-root operation it becomes a VM exit and is gone (26.2). It is also held while the global
//! interrupt flag is 0 (AMD64 APM vol. 2, 15.17). A Linux with KVM loaded is in VMX root operation on every core. So
//! the first round around a tenant that may be a hypervisor begins with an NMI: the dead kernel's own handler sees that
//! its epoch is condemned, leaves virtualization and stops. From round [`NMI_FROM_ROUND`] on every tenant gets one.
//!
//! A core may leave virtualization late, between any two signals. This loses no core that is somebody else's, because
//! a core holds at most one INIT, and no code of another owner runs on it before a check-in counts:
//!
//! - It takes SIPI only when it waits for one, thus after INIT has struck: INIT was not held any more.
//! - If INIT strikes after this round's SIPI, which is lost then, the core waits for the SIPI of the next round.
//! - INIT of the next round that finds it waiting changes nothing; one that finds it in the page takes it out again,
//!   and the check-in does not count.
//!
//! So when a check-in counts, every INIT of this fence has struck that core, and the supervisor sends no further one.
//!
//! What stays: a core that hangs in an NMI handler in VMX root operation, or that hangs while its global interrupt flag
//! is 0, hears neither signal. The fence is refused, and names it; only a reset of the platform stops that core.
//!
//! # Check-ins
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

/// The first round that sends an NMI before INIT to any tenant: the dead kernel's NMI handler may dump registers and
/// stop the core by itself. Earlier rounds send none, because it runs through the dead kernel's descriptor table, which
/// may be damaged. A tenant that may be a hypervisor gets one in its first round too: nothing else stops its cores.
pub const NMI_FROM_ROUND: u32 = 4;

/// Times and number of rounds of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FenceConfig {
    /// Whether the first round sends an NMI as well: the tenant may be a hypervisor, on whose cores INIT is held.
    pub nmi_first: bool,
    /// Pause from NMI to INIT, in ns: how long the dead kernel's handler needs to leave virtualization. If it needs
    /// longer, INIT is held, and the next round finds the core.
    pub leave_ns: u64,
    /// Pause from INIT to SIPI, in ns.
    pub settle_ns: u64,
    /// How long the first round waits for check-ins, in ns. Each round doubles it.
    pub check_in_ns: u64,
    /// Maximum number of rounds.
    pub tries_max: u32,
}

impl Default for FenceConfig {
    fn default() -> Self {
        Self {
            nmi_first: false,
            leave_ns: 200_000,
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
        let leave_ns = if self.sends_nmi(round) {
            self.leave_ns
        } else {
            0
        };
        leave_ns
            .saturating_add(self.settle_ns)
            .saturating_add(self.wait_ns(round))
    }

    fn sends_nmi(&self, round: u32) -> bool {
        round >= NMI_FROM_ROUND || (self.nmi_first && round == 1)
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
    Leaving { until_ns: u64 },
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
        // A check-in that arrives while an INIT is on its way has crossed that INIT. Before the first SIPI, the newest
        // generation is that of an earlier fence.
        let is_in_page = match self.phase {
            Phase::Begin | Phase::Settling { .. } => false,
            Phase::Leaving { .. } => self.round > 1,
            Phase::Waiting { .. } => true,
        };
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
            Phase::Leaving { until_ns } if now_ns >= until_ns => self.init(now_ns),
            Phase::Settling { until_ns } if now_ns >= until_ns => self.startup(now_ns),
            Phase::Waiting { until_ns } if now_ns >= until_ns => self.begin_round(now_ns),
            Phase::Leaving { .. } | Phase::Settling { .. } | Phase::Waiting { .. } => Strike::Wait,
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
        if !self.config.sends_nmi(self.round) {
            return self.init(now_ns);
        }
        self.phase = Phase::Leaving {
            until_ns: now_ns.saturating_add(self.config.leave_ns),
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
            Phase::Leaving { until_ns }
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
