//! The takeover state machine: who owns the machine, and in which order it changes hands.
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
//! An owner that ended in order to be started again goes the same way, with its own image in the backup's place: the fence knows no difference.
//!
//! A backup lost in Holding, Fencing, Preparing or Refused leaves the machine Dead; a backup that gets ready then still takes over.
//! An owner that nobody touched yet (in Holding, or in Dead for want of a backup) and that sends a keepalive again owns the machine as
//! before. One at which a takeover struck does not come back, whatever it sends: it is condemned.

mod takeover;

use sharedmem::cause::{BackupLoss, Cause};

use crate::action::{Action, Actions};
use crate::config::{Config, ConfigError};
use crate::cores::CoreSet;
use crate::detector::{Beat, Detector, Observation, Verdict};
use crate::event::{Ending, Event, Stage};
use crate::failure::Failure;
use crate::fence::Fence;
use crate::notice::{Notice, Refusal};

/// Where the machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The first primary was not seen yet.
    Booting,
    /// An owner is watched; a backup is ready, or gets ready.
    Watching,
    /// An owner is watched; there is no backup.
    Unprotected,
    /// The owner is dead; the backup is still getting ready.
    Holding {
        /// When waiting ends, in ns.
        until_ns: u64,
    },
    /// The cores of the dead owner are being stopped.
    Fencing(Fence),
    /// The old owner is stopped; this is being done for the new one.
    Preparing(Stage),
    /// The backup was promoted; its first keepalive is awaited.
    Promoting,
    /// The takeover was given up; only [`Event::RetryRequested`] begins it again.
    Refused(Refusal),
    /// The owner is dead, and there is no backup.
    Dead,
}

/// What is known of the backup on the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// Loaded, and getting ready.
    Loading,
    /// May be promoted.
    Ready,
    /// There is none.
    Lost(BackupLoss),
}

/// Who comes after the owner that is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// The backup.
    Backup,
    /// The same image, started again.
    Same,
}

/// The state machine. See the [module's](self) diagram, and the [crate's](crate) page for how to drive it.
#[derive(Clone, Debug)]
pub struct Machine {
    config: Config,
    state: State,
    backup: Backup,
    detector: Detector,
    /// Cores the owner runs on, or ran on when it died. Empty while none was started.
    owner: CoreSet,
    /// Cores of the owner that are started at its first keepalive.
    remaining: CoreSet,
    epoch: u64,
    /// The newest a fence used; 0 is the boot's.
    generation: u64,
    successor: Successor,
    /// Core that a promoted backup must be led by.
    lead: Option<u32>,
    now_ns: u64,
}

impl Machine {
    /// A machine that boots at `now_ns`: no primary was started yet, and a backup gets ready.
    ///
    /// # Errors
    /// What in the configuration cannot work.
    pub fn new(config: Config, now_ns: u64) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            state: State::Booting,
            backup: Backup::Loading,
            detector: Detector::new(config.detector, config.first_epoch, now_ns),
            owner: CoreSet::EMPTY,
            remaining: CoreSet::EMPTY,
            epoch: config.first_epoch,
            generation: 0,
            successor: Successor::Backup,
            lead: None,
            now_ns,
        })
    }

    /// Takes in `event`, learned of at `now_ns`, and says what is to be done, in order.
    ///
    /// Time that goes back counts as standing still. An event that means nothing in the present state is ignored.
    pub fn step(&mut self, now_ns: u64, event: Event<'_>) -> Actions {
        use State::{
            Booting, Dead, Fencing, Holding, Preparing, Promoting, Refused, Unprotected, Watching,
        };
        self.now_ns = self.now_ns.max(now_ns);
        let mut out = Actions::new();
        match (self.state, event) {
            // The first primary starts, or cannot. One whose loading took longer than the boot time-out may still be awaited.
            (Booting | Holding { .. } | Dead, Event::PrimaryStarted { cores })
                if self.owner.is_empty() =>
            {
                self.primary_started(cores);
            }
            (Booting | Promoting, Event::PrimaryRefused) => {
                self.condemn(Failure::of(Cause::ImageRefused), &mut out)
            }

            // Keepalives. The first of an owner, or the first of one that was believed dead, changes the state; the others prevent a change.
            (Booting | Promoting | Holding { .. } | Dead, Event::Observed(beat)) => {
                self.awaited_beat(beat, &mut out)
            }
            (Watching | Unprotected, Event::Observed(beat)) => {
                self.detector.observe(self.now_ns, beat);
            }

            // Death.
            (Booting | Watching | Unprotected | Holding { .. } | Promoting, Event::Tick) => {
                self.judge(&mut out)
            }
            (
                Booting | Watching | Unprotected | Holding { .. } | Promoting,
                Event::Epitaph { epoch, core },
            ) if epoch == self.epoch && !self.owner.is_empty() => {
                self.condemn(Failure::on_core(Cause::Panic, core), &mut out);
            }

            // The owner's orderly end; one that died without a backup may still ask for its restart.
            (
                Booting | Watching | Unprotected | Holding { .. } | Promoting | Dead,
                Event::Ended { epoch, ending },
            ) if epoch == self.epoch && !self.owner.is_empty() => self.ended(ending, &mut out),

            // The backup gets ready, early or late.
            (Booting | Promoting | Fencing(_) | Preparing(_) | Refused(_), Event::BackupReady)
                if self.is_loading() =>
            {
                self.backup = Backup::Ready
            }
            (Watching, Event::BackupReady) if self.is_loading() => {
                self.backup = Backup::Ready;
                push(&mut out, Action::Notify(Notice::Protected));
            }
            (Holding { .. } | Dead, Event::BackupReady) if self.is_loading() => {
                self.backup = Backup::Ready;
                self.judge(&mut out);
            }

            // The backup is lost, and perhaps replaced.
            (_, Event::BackupLost(loss)) if !self.is_lost() => self.backup_lost(loss, &mut out),
            (Booting | Promoting | Fencing(_) | Preparing(_) | Refused(_), Event::Rearmed)
                if self.is_lost() =>
            {
                self.backup = Backup::Loading
            }
            (Unprotected, Event::Rearmed) => {
                self.backup = Backup::Loading;
                self.state = Watching;
            }
            (Dead, Event::Rearmed) if self.is_lost() => {
                self.backup = Backup::Loading;
                self.judge(&mut out);
            }

            // The takeover.
            (Fencing(_), Event::Tick) => self.advance_fence(&mut out),
            (Fencing(fence), Event::CheckedIn { core, generation }) => {
                self.check_in(fence, core, generation, &mut out)
            }
            (Preparing(stage), Event::Completed(done)) if done == stage => {
                self.stage_completed(stage, &mut out)
            }
            (Preparing(stage), Event::Failed(failed)) if failed == stage => {
                self.refuse(Refusal::StageFailed(stage), &mut out);
            }
            (Refused(_), Event::RetryRequested) => self.judge(&mut out),

            _ => {}
        }
        out
    }

    /// When to pass the next [`Event::Tick`] if nothing happens before, in ns; a time that is past means at once.
    pub fn deadline_ns(&self) -> Option<u64> {
        match self.state {
            State::Booting | State::Watching | State::Unprotected | State::Promoting => {
                match self.verdict() {
                    Verdict::Red(_) => Some(self.now_ns),
                    _ => self.detector.deadline_ns(self.now_ns),
                }
            }
            State::Holding { until_ns } => Some(until_ns),
            State::Fencing(fence) => Some(fence.deadline_ns()),
            State::Preparing(_) | State::Refused(_) | State::Dead => None,
        }
    }

    /// Where the machine stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What is known of the backup.
    pub fn backup(&self) -> Backup {
        self.backup
    }

    /// Whether the owner is alive and a backup ready to replace it.
    pub fn is_protected(&self) -> bool {
        self.state == State::Watching && self.backup == Backup::Ready
    }

    /// What the detector thinks of the owner, as of the last step.
    pub fn verdict(&self) -> Verdict {
        self.detector.verdict(self.now_ns)
    }

    /// The detector that watches the owner.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The owner's epoch; from [`Action::RaiseEpoch`] on, that of the one to be promoted.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The newest generation a fence used; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Who comes after the owner that is being stopped.
    pub fn successor(&self) -> Successor {
        self.successor
    }

    /// The core that leads the next owner, as things stand.
    pub fn next_lead(&self) -> Option<u32> {
        let lead = match self.successor {
            Successor::Backup => self.lead.filter(|core| self.owner.contains(*core)),
            Successor::Same => None,
        };
        lead.or(self.owner.first())
    }

    /// Names the core that leads the backup when it is promoted, if it is one of the owner's; else, and with `None`, the lowest does.
    pub fn set_lead(&mut self, lead: Option<u32>) {
        self.lead = lead;
    }

    /// Cores the owner runs on, or ran on when it died.
    pub fn owner_cores(&self) -> CoreSet {
        self.owner
    }

    fn is_loading(&self) -> bool {
        self.backup == Backup::Loading
    }

    fn is_lost(&self) -> bool {
        matches!(self.backup, Backup::Lost(_))
    }

    fn primary_started(&mut self, cores: CoreSet) {
        self.owner = cores;
        self.remaining = cores.without_first();
        self.detector = Detector::new(self.config.detector, self.epoch, self.now_ns);
        self.state = State::Booting;
    }

    /// A beat while the owner is not known to be alive.
    fn awaited_beat(&mut self, beat: &Beat, out: &mut Actions) {
        // While no core was started, a beat is scribble. To believe it would be to watch an owner that cannot be fenced.
        if self.owner.is_empty() || self.detector.observe(self.now_ns, beat) != Observation::Fresh {
            return;
        }
        if matches!(self.verdict(), Verdict::Red(_)) {
            return;
        }
        self.state = if self.is_lost() {
            State::Unprotected
        } else {
            State::Watching
        };
        if !self.remaining.is_empty() {
            push(
                out,
                Action::StartRemaining {
                    cores: core::mem::take(&mut self.remaining),
                },
            );
        }
        push(out, Action::Notify(Notice::OwnerUp { epoch: self.epoch }));
        match self.backup {
            Backup::Loading => {}
            Backup::Ready => push(out, Action::Notify(Notice::Protected)),
            Backup::Lost(loss) => push(out, Action::Notify(Notice::Unprotected(loss))),
        }
    }

    fn condemn(&mut self, failure: Failure, out: &mut Actions) {
        self.detector.condemn(failure);
        self.judge(out);
    }

    fn ended(&mut self, ending: Ending, out: &mut Actions) {
        match ending {
            Ending::Switchover if self.state == State::Dead => {}
            Ending::Switchover => self.condemn(Failure::of(Cause::Switchover), out),
            Ending::Reboot => {
                self.successor = Successor::Same;
                self.begin_takeover(Failure::of(Cause::Reboot), out);
            }
        }
    }

    fn backup_lost(&mut self, loss: BackupLoss, out: &mut Actions) {
        self.backup = Backup::Lost(loss);
        push(out, Action::Notify(Notice::Unprotected(loss)));
        match self.state {
            State::Booting | State::Promoting | State::Unprotected | State::Dead => {}
            State::Watching => self.state = State::Unprotected,
            // The restart under way does without.
            _ if self.successor == Successor::Same => {}
            State::Holding { .. } | State::Fencing(_) | State::Preparing(_) | State::Refused(_) => {
                self.judge(out)
            }
        }
    }

    /// Decides: nothing while the owner is not red; else take over, wait for the backup, or give up.
    fn judge(&mut self, out: &mut Actions) {
        let Verdict::Red(failure) = self.verdict() else {
            return;
        };
        match (self.backup, self.state) {
            _ if self.successor == Successor::Same => {
                self.begin_takeover(Failure::of(Cause::Reboot), out)
            }
            (Backup::Ready, _) => self.begin_takeover(failure, out),
            (Backup::Loading, State::Holding { until_ns }) if self.now_ns < until_ns => {}
            (Backup::Loading, State::Holding { .. }) | (Backup::Lost(_), _) => {
                self.state = State::Dead;
                push(out, Action::Notify(Notice::Dead(failure)));
            }
            (Backup::Loading, _) => {
                self.state = State::Holding {
                    until_ns: self.now_ns.saturating_add(self.config.backup_wait_ns),
                };
                push(out, Action::Notify(Notice::WaitingForBackup(failure)));
            }
        }
    }
}

/// `ACTIONS_MAX` bounds every step, so there is room; were there none, losing an action beats a panic in the monitor.
fn push(out: &mut Actions, action: Action) {
    let full = out.try_push(action).is_err();
    debug_assert!(!full, "a step asked for more than ACTIONS_MAX actions");
}
