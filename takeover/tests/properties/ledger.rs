//! A record of a machine from outside: it sees events and actions, and does not know how the machine decides.

use std::collections::{HashMap, HashSet};

use crate::common::{FIRST_EPOCH, config};
use takeover::{ACTIONS_MAX, Action, CoreSet, Event, Machine, Notice, Stage, State};

/// What one takeover has done so far, as seen from outside.
#[derive(Default)]
struct Takeover {
    cores: Vec<u32>,
    /// Per core, the generation it was last sent to check in with.
    generations: HashMap<u32, u64>,
    raised: Option<u64>,
    completed: Vec<Stage>,
    promoted: bool,
}

/// Records which instance may run where, and what was proven.
pub struct Ledger {
    primary: CoreSet,
    epoch: u64,
    check_ins: HashSet<(u32, u64)>,
    /// The newest generation that a fence before this step used.
    newest: u64,
    takeover: Option<Takeover>,
}

impl Ledger {
    pub fn new() -> Self {
        Self {
            primary: CoreSet::EMPTY,
            epoch: FIRST_EPOCH,
            check_ins: HashSet::new(),
            newest: 0,
            takeover: None,
        }
    }

    /// Records an event that is about to be passed.
    pub fn record(&mut self, before: State, event: &Event<'_>) {
        match event {
            Event::PrimaryStarted { cores }
                if self.primary.is_empty()
                    && matches!(before, State::Booting | State::Holding { .. } | State::Dead) =>
            {
                self.primary = *cores;
                self.takeover = None;
            }
            Event::CheckedIn { core, generation } => {
                self.check_ins.insert((*core, *generation));
            }
            Event::Completed(stage) => {
                if let Some(takeover) = &mut self.takeover {
                    takeover.completed.push(*stage);
                }
            }
            _ => {}
        }
    }

    /// Checks the actions that the machine asks for.
    pub fn check(&mut self, before: State, machine: &Machine, actions: &[Action]) {
        assert!(actions.len() <= ACTIONS_MAX);
        if before == State::Stopped {
            assert_eq!(
                machine.state(),
                before,
                "who was told to stop is not followed"
            );
        }
        for action in actions {
            match *action {
                Action::Notify(Notice::TakeoverBegan { epoch, .. }) => self.begin(epoch),
                Action::Notify(Notice::Dead(_)) => {
                    assert_ne!(before, State::Dead, "reported twice")
                }
                Action::SendNmi { cores } => cores.iter().for_each(|core| self.check_strike(core)),
                Action::SendInit { cores } => {
                    for core in cores.iter() {
                        self.check_strike(core);
                        self.running().generations.remove(&core);
                    }
                }
                Action::SendStartup { cores, generation } => {
                    assert!(
                        generation > self.newest,
                        "each round wants its own check-ins"
                    );
                    for core in cores.iter() {
                        self.check_strike(core);
                        self.running().generations.insert(core, generation);
                        self.check_ins.remove(&(core, generation));
                    }
                }
                Action::RaiseEpoch { to } => self.raise(to),
                Action::SeizeInterrupts => self.check_stages(&[Stage::RaiseEpoch]),
                Action::QuietDevices => {
                    self.check_stages(&[Stage::RaiseEpoch, Stage::SeizeInterrupts])
                }
                Action::Promote { core } => {
                    self.promote(core, self.primary.union(config().spare));
                }
                Action::Restart { core } => self.promote(core, self.primary),
                Action::StartRemaining { cores } => {
                    assert!(!cores.contains(0) && !cores.is_empty());
                    assert!(cores.iter().all(|core| self.primary.contains(core)));
                }
                Action::Notify(Notice::PrimaryUp { .. }) => {
                    let struck = self
                        .takeover
                        .as_ref()
                        .is_some_and(|takeover| !takeover.promoted);
                    assert!(!struck, "a primary that was fenced does not come back");
                }
                Action::Stamp { .. } | Action::Notify(_) => {}
            }
        }
        self.newest = machine.generation();
        assert_eq!(
            (machine.primary_cores(), machine.epoch()),
            (self.primary, self.epoch)
        );
    }

    fn running(&mut self) -> &mut Takeover {
        self.takeover.as_mut().expect("a takeover was announced")
    }

    fn begin(&mut self, epoch: u64) {
        assert_eq!(epoch, self.epoch + 1);
        let cores = self.primary.iter().collect();
        self.takeover = Some(Takeover {
            cores,
            ..Takeover::default()
        });
    }

    fn check_strike(&mut self, core: u32) {
        assert_ne!(core, 0, "the seat");
        let takeover = self.running();
        assert!(takeover.cores.contains(&core) && takeover.raised.is_none());
    }

    fn raise(&mut self, to: u64) {
        assert!(to > self.epoch, "epochs rise");
        self.epoch = to;
        let check_ins = std::mem::take(&mut self.check_ins);
        let takeover = self.running();
        assert!(takeover.raised.is_none(), "once per takeover");
        let proven = |core: &u32| {
            let sent = takeover.generations.get(core);
            sent.is_some_and(|generation| check_ins.contains(&(*core, *generation)))
        };
        assert!(
            takeover.cores.iter().all(proven),
            "every core has checked in since its last INIT"
        );
        takeover.raised = Some(to);
        takeover.completed.clear();
        self.check_ins = check_ins;
    }

    /// Checks that these stages were completed, in this order, after the epoch was raised.
    fn check_stages(&mut self, wanted: &[Stage]) {
        let takeover = self.running();
        assert!(takeover.raised.is_some() && !takeover.promoted);
        let mut completed = takeover.completed.iter();
        assert!(
            wanted
                .iter()
                .all(|stage| completed.any(|done| done == stage)),
            "{:?}",
            takeover.completed
        );
    }

    fn promote(&mut self, core: u32, cores: CoreSet) {
        self.check_stages(&[
            Stage::RaiseEpoch,
            Stage::SeizeInterrupts,
            Stage::QuietDevices,
        ]);
        self.running().promoted = true;
        assert_eq!(Some(core), cores.first(), "the lowest core leads");
        self.primary = cores;
    }
}
