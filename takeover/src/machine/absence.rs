//! The executor's own absence: what stopped it may have stopped the primary as well, so the time counts against nobody.

use super::{Machine, State, push};
use crate::action::{Action, Actions};
use crate::notice::Notice;

impl Machine {
    /// Returns when the executor must look again at the latest, in ns; `None` while nothing is waited for.
    fn look_due_ns(&self) -> Option<u64> {
        match self.state {
            State::Booting
            | State::Watching
            | State::Unprotected
            | State::Promoting
            | State::Holding { .. } => Some(self.latest_look_ns()),
            State::Fencing(fence) => Some(fence.deadline_ns().max(self.now_ns)),
            State::Preparing(_) | State::Refused(_) | State::Dead | State::Stopped => None,
        }
    }

    /// Returns when the executor must look again while it waits for the primary or for a backup, in ns.
    pub(super) fn latest_look_ns(&self) -> u64 {
        self.config.detector.look_due_ns(self.now_ns)
    }

    /// Takes the time since the look that was due out of every wait, if this step at `now_ns` comes too late for that
    /// look.
    pub(super) fn notice_absence(&mut self, now_ns: u64, out: &mut Actions) {
        let config = self.config.detector;
        let unseen_ns = self
            .look_due_ns()
            .and_then(|due_ns| config.unseen_ns(due_ns, now_ns));
        let Some(unseen_ns) = unseen_ns else { return };
        match &mut self.state {
            State::Booting | State::Watching | State::Unprotected | State::Promoting => {
                self.detector.excuse(now_ns, unseen_ns)
            }
            // The primary was judged before: only the wait itself is longer.
            State::Holding { until_ns } => *until_ns = until_ns.saturating_add(unseen_ns),
            State::Fencing(fence) => fence.excuse(now_ns),
            State::Preparing(_) | State::Refused(_) | State::Dead | State::Stopped => {}
        }
        self.absences = self.absences.saturating_add(1);
        // Each is counted; the log names those that would have mattered, ever more rarely.
        if unseen_ns >= config.timeout_ns && self.absences.is_power_of_two() {
            let absences = self.absences;
            push(
                out,
                Action::Notify(Notice::SeatAbsent {
                    unseen_ns,
                    absences,
                }),
            );
        }
    }
}
