//! The primary's life: its start, its keepalives, its death and its orderly end.

use sharedmem::cause::Cause;
use sharedmem::keepalive::Keepalive;

use super::{Backup, Machine, State, Successor, push};
use crate::action::{Action, Actions};
use crate::cores::CoreSet;
use crate::detector::{Observation, Verdict};
use crate::event::{Ending, Event};
use crate::failure::Failure;
use crate::notice::Notice;

impl Machine {
    pub(super) fn on_primary(&mut self, event: Event<'_>, out: &mut Actions) {
        use State::{Booting, Dead, Holding, Promoting, Unprotected, Watching};
        match (self.state, event) {
            // The first primary starts, or cannot. If it took longer to load than the boot time-out, it may still be
            // awaited.
            (Booting | Holding { .. } | Dead, Event::PrimaryStarted { cores })
                if self.primary.is_empty() =>
            {
                self.primary_started(cores);
            }
            (Booting | Promoting, Event::PrimaryRefused) => {
                self.condemn(Failure::of(Cause::ImageRefused), out)
            }

            // The first keepalive of a primary, or the first of one that was believed dead, changes the state; later
            // ones prevent a change.
            (Booting | Promoting | Holding { .. } | Dead, Event::Observed(keepalive)) => {
                self.awaited_beat(keepalive, out)
            }
            (Watching | Unprotected, Event::Observed(keepalive)) => {
                self.detector.observe(self.now_ns, keepalive);
            }

            (
                Booting | Watching | Unprotected | Holding { .. } | Promoting,
                Event::Epitaph { epoch, core },
            ) if epoch == self.epoch && !self.primary.is_empty() => {
                self.condemn(Failure::on_core(Cause::Panic, core), out);
            }

            (_, Event::CoreLeftOut { core, index }) => self.leave_out(core, index),

            // A primary that died without a backup may still ask for its restart.
            (
                Booting | Watching | Unprotected | Holding { .. } | Promoting | Dead,
                Event::Ended { epoch, ending },
            ) if epoch == self.epoch && !self.primary.is_empty() => self.ended(ending, out),

            _ => {}
        }
    }

    /// Forgets a core; the last one that a successor could start on stays.
    fn leave_out(&mut self, core: u32, index: Option<u32>) {
        let spare = self.config.spare.without(core);
        if spare.is_empty() {
            return;
        }
        self.config.spare = spare;
        self.primary = self.primary.without(core);
        self.remaining = self.remaining.without(core);
        if let Some(index) = index {
            self.detector.leave_out(index);
        }
    }

    fn primary_started(&mut self, cores: CoreSet) {
        self.primary = cores;
        self.remaining = cores.without_first();
        self.detector.begin(self.epoch, self.now_ns);
        self.state = State::Booting;
    }

    /// Takes in a beat while the primary is not known to be alive.
    fn awaited_beat(&mut self, keepalive: &Keepalive, out: &mut Actions) {
        // While no core was started, a beat is garbage: to believe it would be to watch a primary that has no cores to
        // fence.
        if self.primary.is_empty()
            || self.detector.observe(self.now_ns, keepalive) != Observation::Fresh
        {
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
        push(out, Action::Notify(Notice::PrimaryUp { epoch: self.epoch }));
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
            Ending::Stop => {
                self.state = State::Stopped;
                push(out, Action::Notify(Notice::Stopped));
            }
            Ending::Reboot => {
                self.successor = Successor::Same;
                self.begin_takeover(Failure::of(Cause::Reboot), out);
            }
        }
    }

    /// Acts on a red verdict: takes over, waits for the backup, or gives up. Does nothing while the verdict is not red.
    pub(super) fn judge(&mut self, out: &mut Actions) {
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
