//! The takeover state machine: which instance is the primary, and in which order the machine passes to another.
//!
//! ```text
//!  Booting ---first keepalive---> Watching ---BackupLost---> Unprotected
//!     |                              |     <----Rearmed-----      |
//!     +----------- red --------------+----------- red ------------+
//!                                    |
//!       backup ready       loading   |                  lost
//!         +--------------------+-----+---------------------+
//!         v                    v                           v
//!      Fencing <---ready--- Holding ------too late-----> Dead
//!       |  ^ |                 ^                           |
//!       |  | |                 +----------Rearmed----------+
//!       |  | +--cores missing--> Refused <--+
//!       |  +---RetryRequested-----+         |
//!       | all checked in                    | Failed
//!       v                                   |
//!      Preparing: RaiseEpoch, SeizeInterrupts, QuietDevices
//!       | all Completed
//!       v
//!      Promoting ---first keepalive---> Unprotected, or Watching if re-armed
//!       | red: as above
//! ```
//!
//! A primary that asks for a reboot goes the same way, with its own image in the backup's place: the fence makes no
//! difference between the two.
//!
//! A backup that is lost in Holding, Fencing, Preparing or Refused leaves the machine Dead; a backup that gets ready
//! then still takes over. A primary that no takeover has touched (in Holding, or in Dead for want of a backup) is the
//! primary as before when it sends a keepalive again. A primary that a takeover has begun to fence does not come back,
//! whatever it sends: it is condemned.

mod absence;
mod backup;
mod primary;
mod state;
mod takeover;

pub use self::state::{Backup, State, Successor};
use crate::action::{Action, Actions};
use crate::config::{Config, ConfigError};
use crate::cores::CoreSet;
use crate::detector::{Detector, Verdict};
use crate::event::Event;

/// The state machine. See the [module's](self) diagram, and the [crate's](crate) page for how to drive it.
#[derive(Clone, Debug)]
pub struct Machine {
    config: Config,
    state: State,
    backup: Backup,
    detector: Detector,
    /// Cores the primary runs on, or ran on when it died. Empty while none was started.
    primary: CoreSet,
    /// Cores of the primary that are started at its first keepalive.
    remaining: CoreSet,
    epoch: u64,
    /// The newest generation a fence used; 0 is the boot's.
    generation: u64,
    successor: Successor,
    /// Core that a promoted backup must start on.
    lead: Option<u32>,
    /// How often the executor looked so late that the time did not count.
    absences: u64,
    now_ns: u64,
}

impl Machine {
    /// Makes a machine that boots at `now_ns`: no primary was started yet, and a backup is loading.
    ///
    /// # Errors
    /// Returns what in the configuration cannot work.
    pub fn new(config: Config, now_ns: u64) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            state: State::Booting,
            backup: Backup::Loading,
            detector: Detector::new(config.detector, config.first_epoch, now_ns),
            primary: CoreSet::EMPTY,
            remaining: CoreSet::EMPTY,
            epoch: config.first_epoch,
            generation: 0,
            successor: Successor::Backup,
            lead: None,
            absences: 0,
            now_ns,
        })
    }

    /// Takes in `event`, learned of at `now_ns`, and returns what is to be done, in order.
    ///
    /// Time that goes back counts as standing still. An event without a meaning in the present state is ignored. Time
    /// in which the executor was absent counts against nobody: a step that comes later than
    /// [`deadline_ns`](Self::deadline_ns) by more than a quarter of a time-out ends an absence.
    pub fn step(&mut self, now_ns: u64, event: Event<'_>) -> Actions {
        let mut out = Actions::new();
        self.notice_absence(now_ns, &mut out);
        self.now_ns = self.now_ns.max(now_ns);
        match event {
            Event::PrimaryStarted { .. }
            | Event::PrimaryRefused
            | Event::Observed(_)
            | Event::Epitaph { .. }
            | Event::Ended { .. }
            | Event::CoreLeftOut { .. } => self.on_primary(event, &mut out),
            Event::BackupReady | Event::BackupLost(_) | Event::Rearmed => {
                self.on_backup(event, &mut out)
            }
            Event::Tick => self.on_tick(&mut out),
            Event::CheckedIn { .. }
            | Event::Completed(_)
            | Event::Failed(_)
            | Event::RetryRequested => self.on_takeover(event, &mut out),
        }
        out
    }

    fn on_tick(&mut self, out: &mut Actions) {
        match self.state {
            State::Booting
            | State::Watching
            | State::Unprotected
            | State::Holding { .. }
            | State::Promoting => self.judge(out),
            State::Fencing(_) => self.advance_fence(out),
            State::Preparing(_) | State::Refused(_) | State::Dead | State::Stopped => {}
        }
    }

    /// Returns when to pass the next [`Event::Tick`] if nothing happens before, in ns. A time that is past means now.
    pub fn deadline_ns(&self) -> Option<u64> {
        let waits_until_ns = match self.state {
            State::Booting | State::Watching | State::Unprotected | State::Promoting => {
                match self.verdict() {
                    Verdict::Red(_) => Some(self.now_ns),
                    _ => self.detector.deadline_ns(self.now_ns),
                }
            }
            State::Holding { until_ns } => Some(until_ns),
            State::Fencing(fence) => return Some(fence.deadline_ns()),
            State::Preparing(_) | State::Refused(_) | State::Dead | State::Stopped => None,
        };
        // Otherwise an absence within a long wait, such as the one for a booting primary, would not be noticed.
        waits_until_ns.map(|until_ns| until_ns.min(self.latest_look_ns()))
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns what is known of the backup.
    pub fn backup(&self) -> Backup {
        self.backup
    }

    /// Returns whether the primary is alive and a backup is ready to replace it.
    pub fn is_protected(&self) -> bool {
        self.state == State::Watching && self.backup == Backup::Ready
    }

    /// Returns the detector's verdict on the primary, as of the last step.
    pub fn verdict(&self) -> Verdict {
        self.detector.verdict(self.now_ns)
    }

    /// Returns the detector that watches the primary.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// Returns the primary's epoch; from [`Action::RaiseEpoch`] on, that of the instance to be promoted.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the newest generation a fence used; 0 before the first fence.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns which image follows the primary once it is stopped.
    pub fn successor(&self) -> Successor {
        self.successor
    }

    /// Returns the core that the next primary starts on, as things stand.
    pub fn next_lead(&self) -> Option<u32> {
        let lead = match self.successor {
            Successor::Backup => self.lead.filter(|core| self.primary.contains(*core)),
            Successor::Same => None,
        };
        lead.or(self.primary.first())
    }

    /// Names the core that the backup starts on when it is promoted. The lowest-numbered core is used instead if `lead`
    /// is `None`, or is not one of the primary's cores.
    pub fn set_lead(&mut self, lead: Option<u32>) {
        self.lead = lead;
    }

    /// Says whether the primary may be a hypervisor, on whose cores INIT is held: then a fence around it begins with an
    /// NMI.
    pub fn set_may_virtualize(&mut self, may_virtualize: bool) {
        self.config.fence.nmi_first = may_virtualize;
    }

    /// Returns the cores the primary runs on, or ran on when it died.
    pub fn primary_cores(&self) -> CoreSet {
        self.primary
    }
}

/// Appends an action. [`ACTIONS_MAX`](crate::ACTIONS_MAX) bounds every step, so there is room; if there were none,
/// losing an action would be better than a panic in the monitor.
fn push(out: &mut Actions, action: Action) {
    let full = out.try_push(action).is_err();
    debug_assert!(!full, "a step asked for more than ACTIONS_MAX actions");
}
