//! Takeovers that fail: no proof, a stage that cannot be completed, a backup lost under way.

use crate::common::{FIRST_EPOCH, MS, Rig, SETTLE, STAGES, TIMEOUT, deeds, notices, set};
use takeover::{Action, BackupLoss, Cause, Event, Failure, Notice, Refusal, Stage, State, Verdict};

#[test]
fn an_unproven_fence_refuses_and_touches_nothing() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    rig.check_in(&[1, 3]);
    let refusal = Refusal::Unproven { missing: set(&[2]) };
    assert_eq!(
        rig.run_fence_dry(),
        [Action::Notify(Notice::Refused(refusal))]
    );
    assert_eq!(
        (rig.state(), rig.machine.epoch()),
        (State::Refused(refusal), FIRST_EPOCH)
    );
    assert_eq!(rig.machine.deadline_ns(), None);
    // Neither time, nor a late check-in, nor a beat of a core that still runs, nor a completion changes that.
    assert_eq!(rig.tick_after(1000 * MS), []);
    assert_eq!(rig.check_in(&[2]), []);
    assert_eq!((rig.beat(), rig.epitaph()), (vec![], vec![]));
    assert_eq!(rig.step(Event::Completed(Stage::RaiseEpoch)), []);
    assert_eq!(rig.state(), State::Refused(refusal));
}

#[test]
fn a_retry_is_a_whole_new_fence() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    rig.check_in(&[1, 3]);
    rig.run_fence_dry();
    let actions = rig.step(Event::RetryRequested);
    let init = Action::SendInit {
        cores: set(&[1, 2, 3]),
    };
    assert!(deeds(&actions).ends_with(&[init]), "{actions:?}");
    rig.tick_after(SETTLE);
    assert_eq!(rig.machine.generation(), 7, "after those of six rounds");
    rig.check_in(&[1, 2, 3]);
    assert_eq!(rig.state(), State::Preparing(Stage::RaiseEpoch));
}

#[test]
fn a_stage_that_fails_refuses_and_a_retry_begins_at_the_fence() {
    for failing in 0..STAGES.len() {
        let mut rig = Rig::fenced();
        for stage in &STAGES[..failing] {
            rig.step(Event::Completed(*stage));
        }
        let refusal = Refusal::StageFailed(STAGES[failing]);
        assert_eq!(
            rig.step(Event::Failed(STAGES[failing])),
            [Action::Notify(Notice::Refused(refusal))]
        );
        assert_eq!(rig.step(Event::Completed(STAGES[failing])), [], "too late");
        rig.step(Event::RetryRequested);
        rig.tick_after(SETTLE);
        let actions = rig.check_in(&[1, 2, 3]);
        assert_eq!(
            deeds(&actions)[1],
            Action::RaiseEpoch {
                to: FIRST_EPOCH + 2
            },
            "a number is used once"
        );
    }
}

#[test]
fn a_backup_lost_under_way_ends_the_takeover_in_death_said_once() {
    let mut preparing = Rig::fenced();
    preparing.step(Event::Completed(Stage::RaiseEpoch));
    let mut refused = Rig::fencing();
    refused.run_fence_dry();
    for mut rig in [Rig::fencing(), Rig::fenced(), preparing, refused] {
        let before = rig.state();
        let loss = BackupLoss::Hung;
        let actions = rig.step(Event::BackupLost(loss));
        let dead = Notice::Dead(Failure::on_core(Cause::Panic, 1));
        assert_eq!(
            notices(&actions),
            [Notice::Unprotected(loss), dead],
            "{before:?}"
        );
        assert_eq!(deeds(&actions), []);
        // The takeover does not continue, and a primary that was fenced does not come back.
        assert_eq!(rig.check_in(&[1, 2, 3]), []);
        assert_eq!(rig.step(Event::Completed(Stage::RaiseEpoch)), []);
        assert_eq!((rig.beat(), rig.tick_after(MS)), (vec![], vec![]));
        assert_eq!(rig.step(Event::RetryRequested), []);
        assert_eq!(rig.state(), State::Dead);
        // A new backup starts over.
        rig.step(Event::Rearmed);
        rig.beat();
        assert!(matches!(rig.state(), State::Holding { .. }));
        rig.step(Event::BackupReady);
        assert!(matches!(rig.state(), State::Fencing(fence) if fence.pending() == set(&[1, 2, 3])));
    }
}

/// Checks that a beat does not end the silence of a primary that a takeover has condemned.
#[test]
fn a_silent_primary_that_was_struck_does_not_come_back() {
    let mut rig = Rig::protected();
    rig.tick_after(TIMEOUT);
    rig.step(Event::BackupLost(BackupLoss::Crashed));
    rig.now += MS;
    assert_eq!((rig.beat(), rig.state()), (vec![], State::Dead));
}

#[test]
fn keepalives_during_the_takeover_change_nothing() {
    for mut rig in [Rig::fencing(), Rig::fenced()] {
        let before = rig.state();
        assert_eq!((rig.beat(), rig.epitaph()), (vec![], vec![]));
        assert_eq!(rig.state(), before);
        assert_eq!(
            rig.machine.verdict(),
            Verdict::Red(Failure::on_core(Cause::Panic, 1))
        );
    }
}
