//! The takeover itself: fence, stages, promotion. The end of each step begins the next, so the code fixes the order.

use sharedmem::cause::BackupLoss;
use sharedmem::timeline::Edge;

use super::{Backup, Machine, State, Successor, push};
use crate::action::{Action, Actions};
use crate::event::{Event, Stage};
use crate::failure::Failure;
use crate::fence::{Fence, Strike};
use crate::notice::{Notice, Refusal};

impl Machine {
    pub(super) fn on_takeover(&mut self, event: Event<'_>, out: &mut Actions) {
        match (self.state, event) {
            (State::Fencing(fence), Event::CheckedIn { core, generation }) => {
                self.check_in(fence, core, generation, out)
            }
            (State::Preparing(stage), Event::Completed(done)) if done == stage => {
                self.stage_completed(stage, out)
            }
            (State::Preparing(stage), Event::Failed(failed)) if failed == stage => {
                self.refuse(Refusal::StageFailed(stage), out);
            }
            (State::Refused(_), Event::RetryRequested) => self.judge(out),
            _ => {}
        }
    }

    /// Begins to fence a dead primary, or one that ended. From here on it does not come back.
    pub(super) fn begin_takeover(&mut self, failure: Failure, out: &mut Actions) {
        self.detector.condemn(failure);
        self.state = State::Fencing(Fence::new(self.config.fence, self.generation, self.primary));
        let epoch = self.epoch.saturating_add(1);
        push(
            out,
            Action::Notify(Notice::TakeoverBegan { failure, epoch }),
        );
        if let Some(at_ns) = self.detector.last_seen_ns() {
            stamp(Edge::LastKeepalive, at_ns, out);
        }
        stamp(Edge::Detected, self.now_ns, out);
        self.advance_fence(out);
    }

    fn check_in(&mut self, mut fence: Fence, core: u32, generation: u64, out: &mut Actions) {
        if fence.check_in(core, generation) {
            self.state = State::Fencing(fence);
            self.advance_fence(out);
        }
    }

    pub(super) fn advance_fence(&mut self, out: &mut Actions) {
        let State::Fencing(fence) = &mut self.state else {
            return;
        };
        let round_before = fence.round();
        let strike = fence.step(self.now_ns);
        let (round, pending, generation) = (fence.round(), fence.pending(), fence.generation());
        self.generation = generation;
        if round > round_before && round > 1 {
            push(out, Action::Notify(Notice::FenceRetry { round, pending }));
        }
        match strike {
            Strike::Wait => {}
            Strike::Nmi(cores) => push(out, Action::SendNmi { cores }),
            Strike::Init(cores) => push(out, Action::SendInit { cores }),
            Strike::Startup(cores) => push(out, Action::SendStartup { cores, generation }),
            Strike::Proven => self.fence_proven(out),
            Strike::Refused(missing) => self.refuse(Refusal::Unproven { missing }, out),
        }
    }

    fn fence_proven(&mut self, out: &mut Actions) {
        stamp(Edge::Fenced, self.now_ns, out);
        self.epoch = self.epoch.saturating_add(1);
        self.state = State::Preparing(Stage::RaiseEpoch);
        push(out, Action::RaiseEpoch { to: self.epoch });
    }

    fn stage_completed(&mut self, stage: Stage, out: &mut Actions) {
        match stage {
            Stage::RaiseEpoch => {
                self.state = State::Preparing(Stage::SeizeInterrupts);
                push(out, Action::SeizeInterrupts);
            }
            Stage::SeizeInterrupts => {
                stamp(Edge::InterruptsSeized, self.now_ns, out);
                self.state = State::Preparing(Stage::QuietDevices);
                push(out, Action::QuietDevices);
            }
            Stage::QuietDevices => {
                stamp(Edge::DevicesQuiet, self.now_ns, out);
                self.promote(out);
            }
        }
    }

    /// Gives the stopped cores to the successor.
    fn promote(&mut self, out: &mut Actions) {
        let successor = core::mem::replace(&mut self.successor, Successor::Backup);
        let lead = match successor {
            Successor::Same => self.primary.first(),
            Successor::Backup => {
                self.primary = self.primary.union(self.config.spare);
                self.backup = Backup::Lost(BackupLoss::Promoted);
                self.next_lead()
            }
        };
        // There is always one: `Config::check` refuses an empty set of spare cores, and a primary that ends has cores.
        let Some(core) = lead else {
            return;
        };
        self.remaining = self.primary.without(core);
        self.detector.begin(self.epoch, self.now_ns);
        self.state = State::Promoting;
        push(
            out,
            match successor {
                Successor::Same => Action::Restart { core },
                Successor::Backup => Action::Promote { core },
            },
        );
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut Actions) {
        self.state = State::Refused(refusal);
        push(out, Action::Notify(Notice::Refused(refusal)));
    }
}

fn stamp(edge: Edge, at_ns: u64, out: &mut Actions) {
    push(out, Action::Stamp { edge, at_ns });
}
