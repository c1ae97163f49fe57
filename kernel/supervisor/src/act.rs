//! Carries out what the takeover machine asks for.

use sharedmem::condemned::Condemned;
use sharedmem::console::ConsoleOwner;
use sharedmem::event::CoresLeft;
use sharedmem::timeline::Counter;
use takeover::{Action, Actions, Backup, Event, Notice, Refusal, Stage, State, Successor};

use crate::platform::Platform;
use crate::succession::Remaining;
use crate::supervisor::Supervisor;

impl<P: Platform> Supervisor<P> {
    /// Takes a step of the machine, and those that follow from the outcome of its actions.
    pub(crate) fn step(&mut self, now_ns: u64, event: Event<'_>) {
        let mut actions = self.advance(now_ns, event);
        loop {
            let mut answer = None;
            for action in &actions {
                answer = self.act(*action).or(answer);
            }
            let Some(event) = answer else { return };
            actions = self.advance(self.now_ns(), event);
        }
    }

    /// Steps the machine. Notes in the shared region if that was the end of a backup.
    fn advance(&mut self, now_ns: u64, event: Event<'_>) -> Actions {
        let was_lost = matches!(self.machine.backup(), Backup::Lost(_));
        let actions = self.machine.step(now_ns, event);
        // Before anything is done: the monitor may fail in doing it.
        let is_well = matches!(
            self.machine.state(),
            State::Watching | State::Unprotected | State::Stopped
        );
        let must_reset = !is_well && self.resetting.is_allowed();
        if self.keepalive_answer.set_must_reset(must_reset) {
            self.platform.watch_main_loop();
        }
        if let Backup::Lost(loss) = self.machine.backup()
            && !was_lost
        {
            let instance = self.primary_instance.other();
            let word = self.control.backup.note_loss(instance, loss);
            self.known_words.wrote("backup_lost", word);
        }
        actions
    }

    /// Carries out an action. Returns its outcome, if the machine waits for that.
    fn act(&mut self, action: Action) -> Option<Event<'static>> {
        match action {
            Action::SendInit { cores } => cores.iter().for_each(|core| self.dispatch.init(core)),
            Action::SendStartup { cores, generation } => {
                let lead = self.machine.next_lead();
                self.dispatch.startup(cores, generation, lead);
            }
            Action::SendNmi { cores } => {
                self.condemned().condemn(self.machine.epoch());
                cores.iter().for_each(|core| self.dispatch.nmi(core));
            }
            Action::RaiseEpoch { to } => {
                self.note_cores_left(to);
                return Some(self.raise_epoch(to));
            }
            Action::SeizeInterrupts => {
                self.platform.seize_interrupts();
                return Some(Event::Completed(Stage::SeizeInterrupts));
            }
            Action::QuietDevices => {
                let next = match self.machine.successor() {
                    Successor::Backup => self.primary_instance.other(),
                    Successor::Same => self.primary_instance,
                };
                let is_quiet = self.platform.quiet_devices(next);
                return Some(if is_quiet {
                    Event::Completed(Stage::QuietDevices)
                } else {
                    Event::Failed(Stage::QuietDevices)
                });
            }
            Action::Promote { core } => return self.promote(core),
            Action::Restart { core } => return self.restart(core),
            Action::StartRemaining { cores } => {
                self.remaining = Some(Remaining::of(cores, self.now_ns()));
            }
            Action::Stamp { edge, at_ns } => {
                let epoch = self.timeline_epoch();
                self.control.timelines.of_epoch(epoch).stamp(edge, at_ns);
            }
            Action::Notify(notice) => self.report(notice),
        }
        None
    }

    /// Returns where the primary's cores read that they must end.
    fn condemned(&self) -> &'static Condemned {
        &self.control.condemned[self.primary_instance]
    }

    /// Notes what the primary's cores told of their end, in the timeline of the takeover that leads to epoch `to`.
    fn note_cores_left(&self, to: u64) {
        if let Some((heard, left)) = self.condemned().told(to.saturating_sub(1)) {
            let timeline = self.control.timelines.of_epoch(to);
            timeline.count(Counter::CoresLeft, left);
            log::info!("{}", CoresLeft { heard, left });
        }
    }

    /// Returns the epoch that the takeover under way leads to.
    fn timeline_epoch(&self) -> u64 {
        let is_raised = !matches!(self.machine.state(), State::Fencing(_));
        self.machine.epoch() + u64::from(!is_raised)
    }

    /// Logs a notice, counts it in the timeline, and gives the console to whoever prints from now on.
    fn report(&mut self, notice: Notice) {
        let control = self.control;
        match notice {
            Notice::TakeoverBegan { failure, epoch } => {
                // The dead primary gets no further cores.
                self.remaining = None;
                let timeline = control.timelines.of_epoch(epoch);
                timeline.begin(epoch, failure.cause, failure.core);
                timeline.count(Counter::FenceRounds, 1);
            }
            Notice::FenceRetry { round, .. } => {
                let timeline = control.timelines.of_epoch(self.machine.epoch() + 1);
                timeline.count(Counter::FenceRounds, round.into());
            }
            Notice::Refused(Refusal::Unproven { .. }) => {
                self.console.give_to(control, ConsoleOwner::Monitor);
                self.note_cores_left(self.machine.epoch() + 1);
            }
            // A primary that was believed dead and is not, prints again.
            Notice::PrimaryUp { .. }
                if self.console.is_taken() && self.primary_can(|it| it.drives_console) =>
            {
                let printer = ConsoleOwner::from(self.primary_instance);
                self.console.give_to(control, printer);
            }
            Notice::Refused(_) | Notice::Dead(_) => {
                self.console.give_to(control, ConsoleOwner::Monitor)
            }
            _ => {}
        }
        // A warning stays in the log: why there is no backup, or no primary.
        match notice {
            Notice::Unprotected(_) => log::warn!("{notice}"),
            Notice::TakeoverBegan { .. } => log::warn!("{notice}"),
            Notice::Refused(_) | Notice::Dead(_) => log::error!("{notice}"),
            _ => log::info!("{notice}"),
        }
    }
}
