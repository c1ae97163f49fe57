//! A computation in its slice: when its ranks are entered, when they are stopped, and whether they are entered again.
//!
//! ```text
//!            start                 died, stalled                all checked in
//!   Idle ---------------> Running ---------------> Stopping ---------------------> enter again, or Idle
//!                            |  finished, failed      ^
//!                            +------------------------+
//! ```
//!
//! A step decides; whoever calls it acts. Only cores of the slice are ever stopped here, and nothing that another owner
//! does changes what this decides.

use compute_slice::{SliceEntry, SliceState};
use takeover::{CoreSet, Fence, FenceConfig, Strike};

/// How often a computation is entered again that has committed nothing since its last death.
pub(super) const VAIN_ENTRIES_MAX: u32 = 3;

/// In how many parts of the time that ranks may make no progress it is looked whether they do.
pub(super) const LOOKS_PER_STALL: u64 = 8;

/// What can be seen of a slice. Everything is a claim of its ranks.
pub trait SliceView {
    /// Returns what the computation says that it does; `None` if that is no state.
    fn state(&self) -> Option<SliceState>;

    /// Returns a number that changes when any rank makes progress. It reads a word of every rank.
    fn beats(&self) -> u64;

    /// Returns the last step that all ranks have committed.
    fn committed(&self) -> Option<u64>;
}

/// Why the ranks of a computation are stopped, or not entered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A rank died; its epitaph says how.
    Died,
    /// No rank made progress for too long.
    Stalled,
    /// The computation is done.
    Finished,
    /// The computation ended itself with an error.
    Failed,
    /// The operator stopped it.
    Stopped,
}

impl Ending {
    /// Returns its name, for logs and replies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Stalled => "stalled",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// Why nothing of a computation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It was not started.
    Empty,
    /// It came to its end.
    Ended(Ending),
    /// It died again and again at the same step.
    GivenUp,
    /// Its image cannot be used.
    Refused,
    /// Cores did not stop, or did not start: nobody may touch its memory before the machine is reset.
    CoresMissing,
}

impl Idle {
    /// Returns its name, for logs and replies.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Ended(ending) => ending.name(),
            Self::GivenUp => "given-up",
            Self::Refused => "refused",
            Self::CoresMissing => "cores-missing",
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing before the next look.
    Wait,
    /// Tell that the computation ends for this reason. It is stopped by the next steps.
    End(Ending),
    /// Interrupt these cores.
    Nmi(CoreSet),
    /// Stop these cores.
    Init(CoreSet),
    /// Send these cores to check in, in this generation.
    Startup(CoreSet, u64),
    /// Load the image, and enter each rank; then call [`Computation::entered`] or [`Computation::refused`].
    Enter {
        /// What the ranks do with the data that is there.
        entry: SliceEntry,
        /// The number of this entry.
        generation: u64,
    },
    /// Tell that nothing of it runs any more.
    Rest(Idle),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle(Idle),
    /// To be entered.
    Due(SliceEntry),
    Running {
        beats: u64,
        /// Since when that number stands still.
        since_ns: u64,
        /// When it is looked at next.
        due_ns: u64,
    },
    Stopping {
        fence: Fence,
        ending: Ending,
    },
}

/// The computation of one slice.
#[derive(Clone, Debug)]
pub struct Computation {
    cores: CoreSet,
    stall_ns: u64,
    state: State,
    /// The number of the last entry.
    entries: u64,
    /// The newest generation of check-ins.
    check_ins: u64,
    /// How often it was entered since it committed a step, and which one that was.
    vain_entries: u32,
    committed: Option<u64>,
}

impl Computation {
    /// Makes a computation on these cores that does not run. `entries` is the number of the last entry that an earlier
    /// boot made into the same memory; 0 if there was none.
    pub fn new(cores: CoreSet, stall_ns: u64, entries: u64) -> Self {
        Self {
            cores,
            stall_ns,
            state: State::Idle(Idle::Empty),
            entries,
            check_ins: 0,
            vain_entries: 0,
            committed: None,
        }
    }

    /// Returns its cores.
    pub fn cores(&self) -> CoreSet {
        self.cores
    }

    /// Returns why nothing of it runs; `None` if something does, or is about to.
    pub fn idle(&self) -> Option<Idle> {
        match self.state {
            State::Idle(idle) => Some(idle),
            _ => None,
        }
    }

    /// Returns whether something of it runs, or is about to.
    pub fn is_active(&self) -> bool {
        self.idle().is_none()
    }

    /// Returns whether its ranks are to be entered now.
    pub fn is_due(&self) -> bool {
        matches!(self.state, State::Due(_))
    }

    /// Returns whether its cores are being stopped.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    /// Returns the number of the last entry.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Starts it, if nothing of it runs. Returns whether that is so.
    pub fn start(&mut self, entry: SliceEntry) -> bool {
        let may_start = self.idle().is_some_and(|idle| idle != Idle::CoresMissing);
        if may_start {
            self.state = State::Due(entry);
            self.vain_entries = 0;
            self.committed = None;
        }
        may_start
    }

    /// Notes an end that an earlier boot saw: there is nothing to be entered.
    pub fn has_ended(&mut self, ending: Ending) {
        self.state = State::Idle(Idle::Ended(ending));
    }

    /// Stops it, if it runs. Returns whether it did.
    pub fn stop(&mut self) -> bool {
        match self.state {
            State::Running { .. } => self.end(Ending::Stopped),
            State::Due(_) => self.state = State::Idle(Idle::Ended(Ending::Stopped)),
            State::Stopping { ref mut ending, .. } => *ending = Ending::Stopped,
            State::Idle(_) => return false,
        }
        true
    }

    /// Notes that the ranks were entered.
    pub fn entered(&mut self, now_ns: u64) {
        self.state = State::Running {
            beats: 0,
            since_ns: now_ns,
            due_ns: now_ns,
        };
    }

    /// Notes that the image cannot be used.
    pub fn refused(&mut self) {
        self.state = State::Idle(Idle::Refused);
    }

    /// Notes that a core does not come for its order, though it had stopped.
    pub fn core_is_missing(&mut self) {
        self.state = State::Idle(Idle::CoresMissing);
    }

    /// Says what is to be done at `now_ns`. `slice` is what there is to see, `checked_in` the generation of each core's
    /// last check-in.
    pub fn step(
        &mut self,
        now_ns: u64,
        slice: &(impl SliceView + ?Sized),
        checked_in: impl Fn(u32) -> u64,
    ) -> Act {
        match &mut self.state {
            State::Idle(_) => Act::Wait,
            State::Due(entry) => {
                let entry = *entry;
                self.entries += 1;
                Act::Enter {
                    entry,
                    generation: self.entries,
                }
            }
            State::Running {
                beats,
                since_ns,
                due_ns,
            } => {
                if now_ns >= *due_ns {
                    *due_ns = now_ns + self.stall_ns / LOOKS_PER_STALL;
                    let seen = slice.beats();
                    if *beats != seen {
                        (*beats, *since_ns) = (seen, now_ns);
                    }
                }
                let is_still = now_ns.saturating_sub(*since_ns) >= self.stall_ns;
                let ending = match slice.state() {
                    Some(SliceState::Finished) => Ending::Finished,
                    Some(SliceState::Failed) => Ending::Failed,
                    Some(SliceState::Died) => Ending::Died,
                    _ if is_still => Ending::Stalled,
                    _ => return Act::Wait,
                };
                self.end(ending);
                Act::End(ending)
            }
            State::Stopping { fence, ending } => {
                let ending = *ending;
                for core in fence.pending().iter() {
                    fence.check_in(core, checked_in(core));
                }
                let strike = fence.step(now_ns);
                self.check_ins = fence.generation();
                match strike {
                    Strike::Wait => Act::Wait,
                    Strike::Nmi(cores) => Act::Nmi(cores),
                    Strike::Init(cores) => Act::Init(cores),
                    Strike::Startup(cores) => Act::Startup(cores, self.check_ins),
                    Strike::Refused(_) => self.rest(Idle::CoresMissing),
                    Strike::Proven => self.stopped(ending, slice.committed()),
                }
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        let fence = Fence::new(FenceConfig::default(), self.check_ins, self.cores);
        self.state = State::Stopping { fence, ending };
    }

    /// Goes on behind the last committed step, or rests.
    fn stopped(&mut self, ending: Ending, committed: Option<u64>) -> Act {
        if !matches!(ending, Ending::Died | Ending::Stalled) {
            return self.rest(Idle::Ended(ending));
        }
        if committed > self.committed {
            self.vain_entries = 0;
            self.committed = committed;
        }
        if self.vain_entries >= VAIN_ENTRIES_MAX {
            return self.rest(Idle::GivenUp);
        }
        self.vain_entries += 1;
        self.state = State::Due(SliceEntry::Resume);
        Act::Wait
    }

    fn rest(&mut self, idle: Idle) -> Act {
        self.state = State::Idle(idle);
        Act::Rest(idle)
    }
}
