//! A primary that dies while no backup is ready: the wait for a backup, and its end.

use crate::common::{
    BACKUP_WAIT, BOOT_TIMEOUT, FIRST_EPOCH, MS, Rig, TIMEOUT, beat, deeds, notices, set,
};
use takeover::{Action, Backup, BackupLoss, Cause, Event, Failure, Notice, State, Verdict};

fn backup_loading() -> Rig {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted {
        cores: set(&[1, 2, 3]),
    });
    rig.beat();
    assert_eq!(
        (rig.state(), rig.machine.backup()),
        (State::Watching, Backup::Loading)
    );
    rig
}

fn unprotected() -> Rig {
    let mut rig = Rig::protected();
    rig.step(Event::BackupLost(BackupLoss::Crashed));
    assert_eq!(rig.state(), State::Unprotected);
    rig
}

fn dead() -> Rig {
    let mut rig = unprotected();
    rig.tick_after(TIMEOUT);
    assert_eq!(rig.state(), State::Dead);
    rig
}

#[test]
fn a_primary_that_dies_unprotected_is_reported_dead_once() {
    let mut rig = unprotected();
    assert_eq!(
        rig.tick_after(TIMEOUT),
        [Action::Notify(Notice::Dead(Failure::of(Cause::Silent)))]
    );
    assert_eq!(
        (rig.state(), rig.machine.deadline_ns()),
        (State::Dead, None)
    );
    for _ in 0..3 {
        assert_eq!(rig.tick_after(TIMEOUT), []);
        assert_eq!(rig.epitaph(), []);
    }
}

#[test]
fn a_dead_primary_that_nobody_touched_and_that_beats_again_owns_the_machine() {
    let mut rig = dead();
    rig.now += MS;
    let loss = BackupLoss::Crashed;
    assert_eq!(
        notices(&rig.beat()),
        [
            Notice::PrimaryUp { epoch: FIRST_EPOCH },
            Notice::Unprotected(loss)
        ]
    );
    assert_eq!(rig.state(), State::Unprotected);
    assert_eq!(
        rig.tick_after(TIMEOUT),
        [Action::Notify(Notice::Dead(Failure::of(Cause::Silent)))],
        "a new death"
    );
}

#[test]
fn an_old_beat_does_not_raise_the_dead() {
    let mut rig = dead();
    let old = beat(FIRST_EPOCH, rig.sequence);
    let foreign = beat(FIRST_EPOCH + 1, 99);
    assert_eq!(
        (
            rig.step(Event::Observed(&old)),
            rig.step(Event::Observed(&foreign))
        ),
        (vec![], vec![])
    );
    assert_eq!(rig.state(), State::Dead);
}

#[test]
fn a_new_backup_takes_over_from_a_primary_already_dead() {
    let mut rig = dead();
    assert_eq!(rig.step(Event::BackupReady), [], "the lost one does not");
    assert_eq!(
        rig.step(Event::Rearmed),
        [Action::Notify(Notice::WaitingForBackup(Failure::of(
            Cause::Silent
        )))]
    );
    assert_eq!(
        rig.state(),
        State::Holding {
            until_ns: rig.now + BACKUP_WAIT
        }
    );
    rig.step(Event::BackupReady);
    assert!(matches!(rig.state(), State::Fencing(_)));
}

#[test]
fn a_primary_that_dies_before_the_backup_is_ready_waits_for_it() {
    let mut rig = backup_loading();
    assert_eq!(
        rig.tick_after(TIMEOUT),
        [Action::Notify(Notice::WaitingForBackup(Failure::of(
            Cause::Silent
        )))]
    );
    assert_eq!(
        rig.machine.deadline_ns(),
        Some(rig.now + TIMEOUT / 2),
        "it looks again, to know that it was there"
    );
    assert_eq!(
        rig.tick_after(BACKUP_WAIT - 1),
        [],
        "reported once, and nothing is fenced"
    );
    let actions = rig.step(Event::BackupReady);
    assert_eq!(
        notices(&actions),
        [Notice::TakeoverBegan {
            failure: Failure::of(Cause::Silent),
            epoch: FIRST_EPOCH + 1
        }]
    );
    assert!(deeds(&actions).contains(&Action::SendInit {
        cores: set(&[1, 2, 3])
    }));
}

#[test]
fn the_wait_for_the_backup_is_bounded_and_a_late_one_still_welcome() {
    let mut rig = backup_loading();
    rig.tick_after(TIMEOUT);
    assert_eq!(
        rig.tick_after(BACKUP_WAIT),
        [Action::Notify(Notice::Dead(Failure::of(Cause::Silent)))]
    );
    assert_eq!(rig.state(), State::Dead);
    assert_eq!(rig.step(Event::Rearmed), [], "one is on its way already");
    assert_eq!(rig.state(), State::Dead);
    rig.step(Event::BackupReady);
    assert!(matches!(rig.state(), State::Fencing(_)));
}

#[test]
fn a_backup_lost_while_it_is_waited_for_ends_the_wait() {
    let mut rig = backup_loading();
    rig.tick_after(TIMEOUT);
    let loss = BackupLoss::Failed;
    assert_eq!(
        notices(&rig.step(Event::BackupLost(loss))),
        [
            Notice::Unprotected(loss),
            Notice::Dead(Failure::of(Cause::Silent))
        ]
    );
    assert_eq!(rig.state(), State::Dead);
}

#[test]
fn a_primary_that_comes_back_during_the_wait_is_not_fenced() {
    let mut rig = backup_loading();
    rig.tick_after(TIMEOUT);
    rig.now += MS;
    rig.beat();
    assert_eq!(rig.state(), State::Watching);
    rig.step(Event::BackupReady);
    assert_eq!(rig.state(), State::Watching);
}

#[test]
fn one_that_panicked_does_not_come_back() {
    let mut rig = backup_loading();
    assert_eq!(
        notices(&rig.epitaph()),
        [Notice::WaitingForBackup(Failure::on_core(Cause::Panic, 1))]
    );
    rig.beat();
    assert!(matches!(rig.state(), State::Holding { .. }));
    assert_eq!(
        rig.machine.verdict(),
        Verdict::Red(Failure::on_core(Cause::Panic, 1))
    );
}

#[test]
fn a_hung_primary_that_keeps_beating_stays_dead() {
    let mut rig = backup_loading();
    let mut slot = beat(FIRST_EPOCH, 10);
    rig.step(Event::Observed(&slot));
    for _ in 0..15 {
        rig.now += MS;
        slot.sequence += 1;
        slot.progress[0] += 1;
        slot.progress[1] += 1;
        rig.step(Event::Observed(&slot));
        rig.step(Event::Tick);
    }
    assert!(matches!(rig.state(), State::Holding { .. }));
    assert_eq!(
        rig.machine.verdict(),
        Verdict::Red(Failure::on_core(Cause::Hung, 2))
    );
}

#[test]
fn a_primary_that_never_comes_up_while_the_backup_loads_may_still_come() {
    let mut rig = Rig::new();
    assert_eq!(
        notices(&rig.tick_after(BOOT_TIMEOUT)),
        [Notice::WaitingForBackup(Failure::of(Cause::NeverCameUp))]
    );
    rig.step(Event::PrimaryStarted {
        cores: set(&[1, 2]),
    });
    assert_eq!(
        rig.state(),
        State::Booting,
        "its loading took long; the clock starts again"
    );
    assert_eq!(rig.tick_after(BOOT_TIMEOUT - 1), []);
    rig.beat();
    assert_eq!(rig.state(), State::Watching);
}

#[test]
fn a_refused_image_without_a_backup_is_the_end_until_another_is_started() {
    let mut rig = Rig::new();
    rig.step(Event::BackupLost(BackupLoss::ImageRefused));
    assert_eq!(
        rig.step(Event::PrimaryRefused),
        [Action::Notify(Notice::Dead(Failure::of(
            Cause::ImageRefused
        )))]
    );
    rig.step(Event::PrimaryStarted { cores: set(&[1]) });
    rig.beat();
    assert_eq!(rig.state(), State::Unprotected);
}

#[test]
fn a_promoted_instance_that_never_beats_is_dead_and_a_late_beat_raises_it() {
    let mut rig = Rig::promoting();
    assert_eq!(rig.tick_after(BOOT_TIMEOUT - 1), []);
    assert_eq!(
        rig.tick_after(1),
        [Action::Notify(Notice::Dead(Failure::of(
            Cause::NeverCameUp
        )))]
    );
    assert_eq!(
        deeds(&rig.beat()),
        [Action::StartRemaining {
            cores: set(&[2, 3, 4, 5])
        }]
    );
    assert_eq!(rig.state(), State::Unprotected);
    rig.tick_after(TIMEOUT);
    assert_eq!(rig.state(), State::Dead);
    assert_eq!(deeds(&rig.beat()), [], "its other cores are started once");
}

#[test]
fn a_promoted_instance_that_panics_at_once_is_dead() {
    let mut rig = Rig::promoting();
    assert_eq!(
        rig.step(Event::Epitaph {
            epoch: FIRST_EPOCH,
            core: 0
        }),
        [],
        "the old epitaph"
    );
    assert_eq!(
        rig.epitaph(),
        [Action::Notify(Notice::Dead(Failure::on_core(
            Cause::Panic,
            1
        )))]
    );
}
