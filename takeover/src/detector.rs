//! The failure detector: decides whether the peer is alive.
//!
//! Its evidence is the peer's keepalive slot, whose bytes are hostile: even the peer's time stamp is not used. Age is
//! measured on the observer's clock, from the moment at which the observer *saw* a keepalive, or saw a core's progress
//! move.
//!
//! **Contract**: at one `now`, first [`observe`](Detector::observe) the newest keepalive, and only then ask for the
//! [`verdict`](Detector::verdict). Otherwise an observer that was away for 20 ms with a time-out of 10 ms would declare
//! a healthy peer dead whose keepalives it had not read yet.

use sharedmem::MAX_CORES;
use sharedmem::cause::Cause;
use sharedmem::keepalive::Keepalive;

use crate::failure::Failure;

/// Periods and time-outs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorConfig {
    /// How often the peer sends a keepalive, in ns.
    pub keepalive_ns: u64,
    /// How long a peer that was seen, or a core that moved, may stand still, in ns.
    pub timeout_ns: u64,
    /// How long a peer may take until its first keepalive, and a core from then until its progress first moves, in ns.
    pub boot_timeout_ns: u64,
}

/// What the detector concludes about the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No keepalive was seen yet, and the boot time-out is not over.
    Waiting,
    /// Alive.
    Green,
    /// Late by half a time-out or more. This is for people; nothing is decided on it.
    Yellow,
    /// Dead.
    Red(Failure),
}

/// The result of observing a keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A new keepalive.
    Fresh,
    /// The keepalive that was seen before.
    Repeated,
    /// Not a keepalive of this peer. It was ignored and counted.
    Ignored(Flaw),
}

/// Why a beat is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It has another epoch than the peer's.
    ForeignEpoch,
    /// It has no core, more than [`MAX_CORES`], or not as many as the first keepalive.
    CoreCount,
    /// Its sequence number is below one already seen.
    WentBack,
}

/// How often a reading of the slot was ignored, by reason. A bad beat that is read twice counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// [`Flaw::ForeignEpoch`].
    pub foreign_epoch: u64,
    /// [`Flaw::CoreCount`].
    pub core_count: u64,
    /// [`Flaw::WentBack`].
    pub went_back: u64,
}

/// Watches one peer through one epoch.
#[derive(Clone, Debug)]
pub struct Detector {
    config: DetectorConfig,
    epoch: u64,
    started_ns: u64,
    seen: Option<Seen>,
    condemned: Option<Failure>,
    ignored: Ignored,
}

/// What was seen of the peer since its first keepalive.
#[derive(Clone, Debug)]
struct Seen {
    sequence: u64,
    at_ns: u64,
    cores: [Core; MAX_CORES],
    core_count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Core {
    progress: u64,
    /// When `progress` was first seen; for a core that never moved, when the peer was first seen.
    since_ns: u64,
    moved: bool,
}

/// A clock that runs against the peer: what it watches must not stand still for longer than `limit_ns`.
struct Clock {
    failure: Failure,
    since_ns: u64,
    limit_ns: u64,
    /// For a core's progress: when the newest beat was seen. A standstill counts only up to there, because without
    /// beats it could not be told from silence.
    witnessed_ns: Option<u64>,
}

impl Clock {
    fn age_ns(&self, now_ns: u64) -> u64 {
        self.witnessed_ns
            .unwrap_or(now_ns)
            .saturating_sub(self.since_ns)
    }

    fn late_ns(&self) -> u64 {
        self.since_ns.saturating_add(self.limit_ns / 2)
    }

    fn due_ns(&self) -> u64 {
        self.since_ns.saturating_add(self.limit_ns)
    }

    /// Returns whether the clock advances without new beats.
    fn runs(&self) -> bool {
        self.witnessed_ns.is_none()
    }
}

impl Detector {
    /// Starts to wait, at `now_ns`, for the first keepalive of a peer with this `epoch`.
    pub fn new(config: DetectorConfig, epoch: u64, now_ns: u64) -> Self {
        Self {
            config,
            epoch,
            started_ns: now_ns,
            seen: None,
            condemned: None,
            ignored: Ignored::default(),
        }
    }

    /// Takes in what the slot holds at `now_ns`. Call it before [`verdict`](Self::verdict), with the same `now_ns`.
    pub fn observe(&mut self, now_ns: u64, keepalive: &Keepalive) -> Observation {
        if let Some(flaw) = self.flaw(keepalive) {
            let count = match flaw {
                Flaw::ForeignEpoch => &mut self.ignored.foreign_epoch,
                Flaw::CoreCount => &mut self.ignored.core_count,
                Flaw::WentBack => &mut self.ignored.went_back,
            };
            *count = count.saturating_add(1);
            return Observation::Ignored(flaw);
        }
        match &mut self.seen {
            Some(seen) if seen.sequence == keepalive.sequence => return Observation::Repeated,
            Some(seen) => seen.advance(now_ns, keepalive),
            None => self.seen = Some(Seen::first(now_ns, keepalive)),
        }
        Observation::Fresh
    }

    /// Restarts every clock at `now_ns`, because the peer has shown by something other than a keepalive that it works.
    pub fn vouch(&mut self, now_ns: u64) {
        if let Some(seen) = &mut self.seen {
            seen.at_ns = now_ns;
            seen.cores
                .iter_mut()
                .for_each(|core| core.since_ns = now_ns);
        }
    }

    fn flaw(&self, keepalive: &Keepalive) -> Option<Flaw> {
        if keepalive.epoch != self.epoch {
            return Some(Flaw::ForeignEpoch);
        }
        if keepalive.cores == 0 || keepalive.cores as usize > MAX_CORES {
            return Some(Flaw::CoreCount);
        }
        let seen = self.seen.as_ref()?;
        if keepalive.cores != seen.core_count {
            Some(Flaw::CoreCount)
        } else if keepalive.sequence < seen.sequence {
            Some(Flaw::WentBack)
        } else {
            None
        }
    }

    /// Declares the peer dead by evidence other than its keepalives. The first failure stays, and no later beat revokes
    /// it.
    pub fn condemn(&mut self, failure: Failure) {
        self.condemned.get_or_insert(failure);
    }

    /// Returns the verdict at `now_ns`, the time at which the slot was last observed.
    ///
    /// Silence and standstill can end: a fresh beat makes the verdict green again. A caller that acts on red, and
    /// cannot undo the act, calls [`condemn`](Self::condemn).
    pub fn verdict(&self, now_ns: u64) -> Verdict {
        if let Some(failure) = self.condemned {
            return Verdict::Red(failure);
        }
        if let Some(dead) = self
            .clocks()
            .find(|clock| clock.age_ns(now_ns) >= clock.limit_ns)
        {
            return Verdict::Red(dead.failure);
        }
        if self.seen.is_none() {
            return Verdict::Waiting;
        }
        let late = self
            .clocks()
            .any(|clock| clock.age_ns(now_ns) >= clock.limit_ns / 2);
        if late {
            Verdict::Yellow
        } else {
            Verdict::Green
        }
    }

    /// Returns the next time at which the verdict becomes worse if nothing new is observed; `None` if it cannot.
    pub fn deadline_ns(&self, now_ns: u64) -> Option<u64> {
        match self.verdict(now_ns) {
            Verdict::Red(_) => None,
            Verdict::Waiting | Verdict::Yellow => self.next(Clock::due_ns),
            Verdict::Green => self.next(Clock::late_ns),
        }
    }

    /// Returns when the newest keepalive was seen, in the observer's time.
    pub fn last_seen_ns(&self) -> Option<u64> {
        self.seen.as_ref().map(|seen| seen.at_ns)
    }

    /// Returns how many readings were ignored so far.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    fn next(&self, moment: impl Fn(&Clock) -> u64) -> Option<u64> {
        self.clocks()
            .filter(Clock::runs)
            .map(|clock| moment(&clock))
            .min()
    }

    /// Returns every clock that runs against the peer: that of its first keepalive; or those of its next one and of
    /// each core's progress.
    fn clocks(&self) -> impl Iterator<Item = Clock> {
        let DetectorConfig {
            timeout_ns,
            boot_timeout_ns,
            ..
        } = self.config;
        let whole = match &self.seen {
            None => Clock {
                failure: Failure::of(Cause::NeverCameUp),
                since_ns: self.started_ns,
                limit_ns: boot_timeout_ns,
                witnessed_ns: None,
            },
            Some(seen) => Clock {
                failure: Failure::of(Cause::Silent),
                since_ns: seen.at_ns,
                limit_ns: timeout_ns,
                witnessed_ns: None,
            },
        };
        let cores = self
            .seen
            .iter()
            .flat_map(|seen| (0..seen.core_count).map(move |core| (core, seen)));
        let per_core = cores.map(move |(core, seen)| {
            let state = &seen.cores[core as usize];
            Clock {
                failure: Failure::on_core(Cause::Hung, core),
                since_ns: state.since_ns,
                // The cores of an instance start one by one after its first keepalive: until a core has moved, it is
                // booting.
                limit_ns: if state.moved {
                    timeout_ns
                } else {
                    boot_timeout_ns
                },
                witnessed_ns: Some(seen.at_ns),
            }
        });
        core::iter::once(whole).chain(per_core)
    }
}

impl Seen {
    fn first(now_ns: u64, keepalive: &Keepalive) -> Self {
        let cores = keepalive.progress.map(|progress| Core {
            progress,
            since_ns: now_ns,
            moved: false,
        });
        Self {
            sequence: keepalive.sequence,
            at_ns: now_ns,
            cores,
            core_count: keepalive.cores,
        }
    }

    fn advance(&mut self, now_ns: u64, keepalive: &Keepalive) {
        self.sequence = keepalive.sequence;
        self.at_ns = now_ns;
        for (core, progress) in self.cores.iter_mut().zip(keepalive.progress) {
            if core.progress != progress {
                *core = Core {
                    progress,
                    since_ns: now_ns,
                    moved: true,
                };
            }
        }
    }
}
