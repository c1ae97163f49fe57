//! What a seed decides before the machine boots: its size, how much its signals and frames are disturbed, and which
//! faults strike when.

pub mod plan;

use fastrand::Rng;
use takeover::DetectorConfig;

use crate::machine::{MS, US};
use plan::{Plan, Strike};

/// Number of cores of the largest machine, with the seat.
const CORES_MAX: u32 = 5;

/// How often something on its way is disturbed: once in this many times.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// It is lost.
    pub lost_once_in: u64,
    /// It comes twice.
    pub doubled_once_in: u64,
    /// It is late.
    pub late_once_in: u64,
    /// Limit of its delay, in ns.
    pub late_ns_max: u64,
}

/// The smallest ring, in bytes. A payload may have a quarter of the ring, and a record of a checkpoint must fit.
const JOURNAL_BYTES_MIN: usize = 128 << 10;

/// Stands for never where something happens once in so many times.
const NEVER: u64 = u64::MAX;

impl Chaos {
    /// Nothing is disturbed.
    pub const NONE: Self = Self {
        lost_once_in: NEVER,
        doubled_once_in: NEVER,
        late_once_in: NEVER,
        late_ns_max: 0,
    };

    fn of(rng: &mut Rng, late_ns_max: u64) -> Self {
        match rng.u8(0..3) {
            0 => Self::NONE,
            _ => Self {
                lost_once_in: rng.u64(5..200),
                doubled_once_in: rng.u64(5..200),
                late_once_in: rng.u64(3..100),
                late_ns_max,
            },
        }
    }
}

/// Which faults a seed may plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every fault, also one after which the machine may have to stand still.
    Safety,
    /// Only faults after which the machine has to be protected again.
    Liveness,
}

impl Mode {
    /// Returns the option of `cargo xtask sim` that selects it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Safety => "",
            Self::Liveness => " --liveness",
        }
    }
}

/// Everything that is decided before the machine boots.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// Number of cores, with the seat.
    pub core_count: u32,
    /// Size of the journal's ring, in bytes.
    pub journal_bytes: usize,
    /// Period of keepalives, in ns.
    pub keepalive_ns: u64,
    /// Time without a keepalive after which the primary counts as dead, in ns.
    pub timeout_ns: u64,
    /// Number of clients.
    pub clients: usize,
    /// Number of commands of each client.
    pub commands: u32,
    /// Limit of the commands of a client that wait for their replies.
    pub pipeline: u32,
    /// Limit of a text in a command, in bytes.
    pub value_bytes_max: u64,
    /// How interrupts, INIT and SIPI are disturbed.
    pub signals: Chaos,
    /// How frames are disturbed.
    pub wire: Chaos,
    /// A core stalls at one access in this many.
    pub stall_once_in: u64,
    /// Limit of a stall, in ns. It is below what the detector takes for death.
    pub stall_ns_max: u64,
    /// How long loading an image occupies the seat, in ns.
    pub load_ns: u64,
    /// A primary whose own state is not what it should be gives up to its backup.
    pub gives_up_diverged: bool,
    /// One plan for each primary, in order.
    pub faults: Vec<Plan>,
}

impl Scenario {
    /// Returns the scenario of a seed.
    pub fn of(seed: u64, mode: Mode) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let rng = &mut rng;
        let timeout_ns = 10 * MS;
        // One in four has clients that fill the ring many times.
        let is_heavy = rng.u8(0..4) == 0;
        let usual = Self {
            seed,
            core_count: rng.u32(2..=CORES_MAX),
            journal_bytes: match is_heavy {
                true => JOURNAL_BYTES_MIN,
                false => JOURNAL_BYTES_MIN << rng.u32(0..3),
            },
            keepalive_ns: MS,
            timeout_ns,
            clients: rng.usize(1..4),
            commands: match is_heavy {
                true => rng.u32(100..400),
                false => rng.u32(10..60),
            },
            pipeline: rng.u32(1..12),
            value_bytes_max: match is_heavy {
                true => 1 << 13,
                false => 1 << rng.u32(1..10),
            },
            signals: Chaos::of(rng, 3 * MS),
            wire: Chaos::of(rng, 8 * MS),
            stall_once_in: [NEVER, 20_000, 2_000][rng.usize(0..3)],
            stall_ns_max: rng.u64(US..2 * MS),
            load_ns: rng.u64(10 * US..20 * MS),
            faults: plans(rng, mode),
            gives_up_diverged: rng.bool(),
        };
        let usual = match rng.u8(0..6) {
            0 => usual.with_a_changed_value(rng),
            _ => usual,
        };
        let usual = match rng.u8(0..12) {
            0 => usual.with_a_service_that_stands(rng),
            _ => usual,
        };
        match rng.u8(0..16) {
            0 => usual.only_paused(rng.u64(MS..5_000 * MS)),
            _ => usual,
        }
    }

    /// Returns the scenario with a value that changes in memory, beside its other faults.
    fn with_a_changed_value(mut self, rng: &mut Rng) -> Self {
        let place = rng.usize(..=self.faults.len());
        self.faults.insert(place, Plan::of_value(rng));
        self
    }

    /// Returns the scenario with a primary that serves nobody, beside its other faults. There is only one: a primary
    /// does not die soon of what its predecessor died of.
    fn with_a_service_that_stands(mut self, rng: &mut Rng) -> Self {
        let place = rng.usize(..=self.faults.len());
        self.faults.insert(place, Plan::of_service(rng));
        self
    }

    /// Returns the scenario with one fault, a pause of the whole machine, and no signal disturbed: nothing in it is a
    /// reason for a takeover.
    pub fn only_paused(self, ns: u64) -> Self {
        let faults = self.faults.iter().take(1);
        Self {
            signals: Chaos::NONE,
            faults: faults
                .map(|plan| Plan {
                    strike: Strike::MachinePause { ns },
                    ..*plan
                })
                .collect(),
            ..self
        }
    }

    /// Returns whether nothing but pauses of the whole machine happens.
    pub fn is_only_paused(&self) -> bool {
        let is_pause = |plan: &Plan| matches!(plan.strike, Strike::MachinePause { .. });
        self.signals.late_ns_max == 0 && self.faults.iter().all(is_pause)
    }

    /// Returns whether the commands may make a state that is too large for the journal to keep.
    pub fn may_outgrow_journal(&self) -> bool {
        let state_bytes_max = self.clients as u64 * u64::from(self.commands) * self.value_bytes_max;
        state_bytes_max > self.journal_bytes as u64 / 4
    }

    /// Returns the limit within which the death of a settled primary must be noticed, in ns.
    pub fn notice_ns_max(&self) -> u64 {
        // What the seat does not see does not count, and after it the primary has a whole time-out again.
        let away_ns: u64 = self
            .faults
            .iter()
            .map(Plan::seat_is_away_ns)
            .filter(|away_ns| *away_ns > 0)
            .map(|away_ns| away_ns + self.timeout_ns)
            .sum();
        let late_ns = self.signals.late_ns_max + 2 * self.stall_ns_max + 4 * MS;
        self.timeout_ns + self.keepalive_ns + late_ns + away_ns
    }

    /// Returns for how long the faults keep all or a part of the machine still, in ns.
    pub fn still_ns(&self) -> u64 {
        self.faults.iter().map(Plan::stands_still_ns).sum()
    }

    /// Returns when primary and seat count as dead to each other.
    pub fn detector(&self) -> DetectorConfig {
        DetectorConfig {
            keepalive_ns: self.keepalive_ns,
            timeout_ns: self.timeout_ns,
            boot_timeout_ns: 10 * self.timeout_ns,
        }
    }

    /// Returns whether a fault may keep the machine from going on by itself.
    pub fn may_stand_still(&self) -> bool {
        self.faults.iter().any(Plan::may_stand_still)
    }
}

fn plans(rng: &mut Rng, mode: Mode) -> Vec<Plan> {
    let count = rng.usize(0..5);
    let ends_well = |plan: &Plan| !plan.may_lose() && !plan.may_stand_still();
    let is_meant = |plan: &Plan| mode == Mode::Safety || ends_well(plan);
    std::iter::repeat_with(|| Plan::of(rng))
        .filter(is_meant)
        .take(count)
        .collect()
}
