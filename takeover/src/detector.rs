//! The failure detector: decides whether the peer is alive.
//!
//! Its evidence is the peer's keepalive slot, whose bytes are hostile: even the peer's time stamp is not used. Age is
//! measured on the observer's clock, from the moment at which the observer *saw* a keepalive, or saw a core's progress
//! move.
//!
//! **Contract**: at one `now`, first [`observe`](Detector::observe) the newest keepalive, and only then ask for the
//! [`verdict`](Detector::verdict). Otherwise an observer that was away for 20 ms with a time-out of 10 ms would declare
//! a healthy peer dead whose keepalives it had not read yet.
//!
//! **Absence**: time in which the observer itself did not run is no silence of the peer, because what stopped the
//! observer (a system management interrupt, a paused host) may have stopped the peer as well. Whoever looks later than
//! it had to ([`DetectorConfig::unseen_ns`]) calls [`excuse`](Detector::excuse): the time between does not count, and
//! the peer gets one whole time-out to be heard again. It gets that once: without a fresh keepalive a second absence
//! only stops the clocks, so that an observer that is often late still finds a dead peer.

mod clock;

use sharedmem::MAX_CORES;
use sharedmem::cause::Cause;
use sharedmem::keepalive::KeepaliveOf;

use self::clock::Clock;
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

impl DetectorConfig {
    /// Returns how late an observer may look after it looked at a time, in ns: half a time-out.
    pub fn look_due_ns(&self, looked_ns: u64) -> u64 {
        looked_ns.saturating_add(self.timeout_ns / 2)
    }

    /// Returns for how long an observer that looks at `now_ns` was absent, if its look was due at `due_ns`; `None` if
    /// it is not later than the usual latency of a timer.
    pub fn unseen_ns(&self, due_ns: u64, now_ns: u64) -> Option<u64> {
        let late_ns = now_ns.saturating_sub(due_ns);
        (late_ns > self.timeout_ns / 4).then_some(late_ns)
    }
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
    /// It has no core, more than there is room for, or not as many as the first keepalive.
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

/// Watches one peer, of `CORES` cores at most, through one epoch.
#[derive(Clone, Debug)]
pub struct Detector<const CORES: usize = MAX_CORES> {
    config: DetectorConfig,
    epoch: u64,
    started_ns: u64,
    seen: Option<Seen>,
    /// What was seen of each core; as many count as the peer has.
    cores: [Core; CORES],
    condemned: Option<Failure>,
    ignored: Ignored,
    /// The peer was given a time-out of grace, and was not heard since.
    has_grace: bool,
}

/// What was seen of the peer since its first keepalive.
#[derive(Clone, Debug)]
struct Seen {
    sequence: u64,
    /// When the newest keepalive was seen.
    beat_ns: u64,
    /// Since when the silence counts: later than `beat_ns` if the peer was vouched for or excused.
    at_ns: u64,
    core_count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Core {
    progress: u64,
    /// When `progress` was first seen; for a core that never moved, when the peer was first seen.
    since_ns: u64,
    moved: bool,
    /// It is known not to run, so it may stand still.
    is_left_out: bool,
}

impl<const CORES: usize> Detector<CORES> {
    /// Starts to wait, at `now_ns`, for the first keepalive of a peer with this `epoch`.
    pub fn new(config: DetectorConfig, epoch: u64, now_ns: u64) -> Self {
        Self {
            config,
            epoch,
            started_ns: now_ns,
            seen: None,
            cores: [Core::default(); CORES],
            condemned: None,
            ignored: Ignored::default(),
            has_grace: false,
        }
    }

    /// Starts anew, as [`new`](Self::new) does, for a peer with this `epoch`.
    pub fn begin(&mut self, epoch: u64, now_ns: u64) {
        (self.epoch, self.started_ns) = (epoch, now_ns);
        (self.seen, self.condemned) = (None, None);
        (self.ignored, self.has_grace) = (Ignored::default(), false);
    }

    /// Takes in what the slot holds at `now_ns`. Call it before [`verdict`](Self::verdict), with the same `now_ns`.
    pub fn observe(&mut self, now_ns: u64, keepalive: &KeepaliveOf<CORES>) -> Observation {
        if let Some(flaw) = self.flaw(keepalive) {
            let count = match flaw {
                Flaw::ForeignEpoch => &mut self.ignored.foreign_epoch,
                Flaw::CoreCount => &mut self.ignored.core_count,
                Flaw::WentBack => &mut self.ignored.went_back,
            };
            *count = count.saturating_add(1);
            return Observation::Ignored(flaw);
        }
        let is_first = match &mut self.seen {
            Some(seen) if seen.sequence == keepalive.sequence => return Observation::Repeated,
            Some(seen) => {
                seen.advance(now_ns, keepalive.sequence);
                false
            }
            None => {
                self.seen = Some(Seen::first(now_ns, keepalive.sequence, keepalive.cores));
                true
            }
        };
        for (core, progress) in self.live().iter_mut().zip(keepalive.progress) {
            core.observe(now_ns, progress, is_first);
        }
        self.has_grace = false;
        Observation::Fresh
    }

    /// Excuses the peer for `unseen_ns` before `now_ns`, in which the observer was absent: see the
    /// [module's](self) page.
    pub fn excuse(&mut self, now_ns: u64, unseen_ns: u64) {
        let DetectorConfig {
            timeout_ns,
            boot_timeout_ns,
            ..
        } = self.config;
        let is_granted = !core::mem::replace(&mut self.has_grace, true);
        // The latest start of a clock with this limit that leaves it a whole time-out.
        let later = |since_ns: u64, limit_ns: u64| {
            let since_ns = since_ns.saturating_add(unseen_ns).min(now_ns);
            match is_granted {
                true => since_ns.max(now_ns.saturating_sub(limit_ns - timeout_ns)),
                false => since_ns,
            }
        };
        self.started_ns = later(self.started_ns, boot_timeout_ns);
        if let Some(seen) = &mut self.seen {
            seen.at_ns = later(seen.at_ns, timeout_ns);
        }
        let config = self.config;
        for core in self.live() {
            core.since_ns = later(core.since_ns, core.limit_ns(&config));
        }
    }

    /// Lets a core of a peer that was seen stand still for ever, because it is known not to run.
    pub fn leave_out(&mut self, core: u32) {
        if let Some(core) = self.cores.get_mut(core as usize) {
            core.is_left_out = true;
        }
    }

    /// Restarts every clock at `now_ns`, because the peer has shown by something other than a keepalive that it works.
    pub fn vouch(&mut self, now_ns: u64) {
        if let Some(seen) = &mut self.seen {
            seen.at_ns = now_ns;
        }
        self.live()
            .iter_mut()
            .for_each(|core| core.since_ns = now_ns);
    }

    /// Returns the cores that the peer has, as far as it was seen.
    fn live(&mut self) -> &mut [Core] {
        let count = self.seen.as_ref().map_or(0, |seen| seen.core_count);
        &mut self.cores[..count as usize]
    }

    fn flaw(&self, keepalive: &KeepaliveOf<CORES>) -> Option<Flaw> {
        if keepalive.epoch != self.epoch {
            return Some(Flaw::ForeignEpoch);
        }
        if keepalive.cores == 0 || keepalive.cores as usize > CORES {
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
        self.seen.as_ref().map(|seen| seen.beat_ns)
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
            .flat_map(|seen| (0..seen.core_count).map(move |core| (core, seen)))
            .filter(|(core, _)| !self.cores[*core as usize].is_left_out);
        let per_core = cores.map(move |(core, seen)| {
            let state = &self.cores[core as usize];
            Clock {
                failure: Failure::on_core(Cause::Hung, core),
                since_ns: state.since_ns,
                limit_ns: state.limit_ns(&self.config),
                witnessed_ns: Some(seen.at_ns),
            }
        });
        core::iter::once(whole).chain(per_core)
    }
}

impl Core {
    /// Takes in the progress that a fresh keepalive tells, by the `is_first` one of its peer.
    fn observe(&mut self, now_ns: u64, progress: u64, is_first: bool) {
        if is_first || self.progress != progress {
            *self = Self {
                progress,
                since_ns: now_ns,
                moved: !is_first,
                is_left_out: self.is_left_out && !is_first,
            };
        }
    }

    /// Returns how long it may stand still. The cores of an instance start one by one after its first keepalive: until
    /// a core has moved, it is booting.
    fn limit_ns(&self, config: &DetectorConfig) -> u64 {
        match self.moved {
            true => config.timeout_ns,
            false => config.boot_timeout_ns,
        }
    }
}

impl Seen {
    fn first(now_ns: u64, sequence: u64, core_count: u32) -> Self {
        Self {
            sequence,
            beat_ns: now_ns,
            at_ns: now_ns,
            core_count,
        }
    }

    fn advance(&mut self, now_ns: u64, sequence: u64) {
        self.sequence = sequence;
        self.beat_ns = now_ns;
        self.at_ns = now_ns;
    }
}
