//! While a primary lives: boot, keepalives, loss and return of the backup.

use crate::common::{BOOT_TIMEOUT, FIRST_EPOCH, MS, Rig, STAGES, TIMEOUT, beat, notices, set};
use takeover::{
    Action, Backup, BackupLoss, CoreSet, Event, Notice, State, Verdict, detector::Observation,
};

#[test]
fn the_first_keepalive_ends_the_boot() {
    let mut rig = Rig::new();
    rig.now = 150 * MS;
    rig.step(Event::PrimaryStarted {
        cores: set(&[1, 2, 3]),
    });
    assert_eq!(
        rig.machine.detector().deadline_ns(rig.now),
        Some(150 * MS + BOOT_TIMEOUT),
        "starting it restarts the boot time-out"
    );
    assert_eq!(rig.tick_after(BOOT_TIMEOUT - 1), []);
    assert_eq!(
        rig.beat(),
        [
            Action::StartRemaining {
                cores: set(&[2, 3])
            },
            Action::Notify(Notice::PrimaryUp { epoch: FIRST_EPOCH }),
        ]
    );
    assert_eq!(rig.beat(), [], "its other cores are started once");
    assert_eq!(rig.state(), State::Watching);
    assert!(!rig.machine.is_protected(), "the backup still loads");
    assert_eq!(
        rig.step(Event::BackupReady),
        [Action::Notify(Notice::Protected)]
    );
    assert!(rig.machine.is_protected());
    assert_eq!(rig.step(Event::BackupReady), [], "twice is no news");
}

#[test]
fn a_backup_that_is_ready_first_protects_from_the_first_keepalive() {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted { cores: set(&[1]) });
    assert_eq!(rig.step(Event::BackupReady), []);
    assert_eq!(
        notices(&rig.beat()),
        [Notice::PrimaryUp { epoch: FIRST_EPOCH }, Notice::Protected]
    );
}

#[test]
fn a_backup_lost_at_boot_leaves_an_unprotected_primary() {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted { cores: set(&[1]) });
    let loss = BackupLoss::ImageRefused;
    assert_eq!(
        rig.step(Event::BackupLost(loss)),
        [Action::Notify(Notice::Unprotected(loss))]
    );
    assert_eq!(rig.state(), State::Booting);
    assert_eq!(rig.step(Event::BackupReady), []);
    assert_eq!(
        rig.machine.backup(),
        Backup::Lost(loss),
        "a lost backup does not come back"
    );
    assert_eq!(
        notices(&rig.beat()),
        [
            Notice::PrimaryUp { epoch: FIRST_EPOCH },
            Notice::Unprotected(loss)
        ]
    );
    assert_eq!(rig.state(), State::Unprotected);
}

#[test]
fn a_backup_replaced_at_boot_is_awaited() {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted { cores: set(&[1]) });
    rig.step(Event::BackupLost(BackupLoss::Failed));
    rig.step(Event::Rearmed);
    rig.beat();
    assert_eq!(
        (rig.state(), rig.machine.backup()),
        (State::Watching, Backup::Loading)
    );
}

#[test]
fn a_beat_before_any_core_was_started_is_scribble() {
    let mut rig = Rig::new();
    rig.step(Event::BackupReady);
    assert_eq!(rig.beat(), []);
    assert_eq!(rig.epitaph(), []);
    assert_eq!(rig.state(), State::Booting);
    rig.step(Event::PrimaryStarted {
        cores: CoreSet::EMPTY,
    });
    assert_eq!(
        (rig.beat(), rig.state()),
        (vec![], State::Booting),
        "nor is a start on no core one"
    );
}

#[test]
fn cores_are_told_once() {
    let mut rig = Rig::protected();
    rig.step(Event::PrimaryStarted { cores: set(&[9]) });
    assert_eq!(
        (rig.machine.primary_cores(), rig.state()),
        (set(&[1, 2, 3]), State::Watching)
    );
}

#[test]
fn keepalives_keep_the_peace() {
    let mut rig = Rig::protected();
    for _ in 0..100 {
        rig.now += 9 * MS;
        assert_eq!(rig.beat(), []);
        assert_eq!(rig.step(Event::Tick), []);
        assert_eq!(
            rig.machine.deadline_ns(),
            Some(rig.now + TIMEOUT / 2),
            "yellow"
        );
    }
    assert_eq!(rig.state(), State::Watching);
}

#[test]
fn a_lost_backup_leaves_the_primary_unprotected_and_a_new_one_protects_it() {
    let mut rig = Rig::protected();
    let loss = BackupLoss::Dropped;
    assert_eq!(
        rig.step(Event::BackupLost(loss)),
        [Action::Notify(Notice::Unprotected(loss))]
    );
    assert_eq!(
        (rig.state(), rig.machine.backup()),
        (State::Unprotected, Backup::Lost(loss))
    );
    assert_eq!(
        rig.step(Event::BackupLost(BackupLoss::Hung)),
        [],
        "it is lost once"
    );
    assert_eq!(
        rig.step(Event::BackupReady),
        [],
        "a lost backup does not come back"
    );
    assert_eq!(rig.state(), State::Unprotected);
    assert_eq!(rig.step(Event::Rearmed), []);
    assert_eq!(
        (rig.state(), rig.machine.is_protected()),
        (State::Watching, false)
    );
    assert_eq!(
        rig.step(Event::BackupReady),
        [Action::Notify(Notice::Protected)]
    );
}

#[test]
fn rearming_over_a_living_backup_changes_nothing() {
    let mut rig = Rig::protected();
    assert_eq!(rig.step(Event::Rearmed), []);
    assert!(rig.machine.is_protected());
}

#[test]
fn an_epitaph_of_another_epoch_is_ignored() {
    let mut rig = Rig::protected();
    for epoch in [FIRST_EPOCH - 1, FIRST_EPOCH + 1] {
        assert_eq!(rig.step(Event::Epitaph { epoch, core: 0 }), []);
    }
    assert!(rig.machine.is_protected());
}

#[test]
fn a_promoted_instance_that_beats_is_an_unprotected_primary_with_all_its_cores() {
    let mut rig = Rig::promoting();
    assert_eq!(
        rig.machine.detector().deadline_ns(rig.now),
        Some(rig.now + BOOT_TIMEOUT)
    );
    let old = beat(FIRST_EPOCH, 1000);
    assert_eq!(
        rig.step(Event::Observed(&old)),
        [],
        "a beat of the old primary does not count for the new one"
    );
    assert_eq!(
        rig.beat(),
        [
            Action::StartRemaining {
                cores: set(&[2, 3, 4, 5])
            },
            Action::Notify(Notice::PrimaryUp {
                epoch: FIRST_EPOCH + 1
            }),
            Action::Notify(Notice::Unprotected(BackupLoss::Promoted)),
        ]
    );
    assert_eq!(rig.state(), State::Unprotected);
    assert_eq!(rig.beat(), [], "its other cores are started once");
}

#[test]
fn rearmed_before_the_promoted_instance_beats() {
    let mut rig = Rig::promoting();
    rig.step(Event::Rearmed);
    rig.step(Event::BackupReady);
    assert_eq!(
        notices(&rig.beat()),
        [
            Notice::PrimaryUp {
                epoch: FIRST_EPOCH + 1
            },
            Notice::Protected
        ]
    );
    assert!(rig.machine.is_protected());
    // The next death finds all its cores, started or not.
    rig.epitaph();
    assert_eq!(rig.machine.primary_cores(), set(&[1, 2, 3, 4, 5]));
    assert!(matches!(rig.state(), State::Fencing(_)));
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut rig = Rig::protected();
    rig.tick_after(9 * MS);
    rig.now = 0;
    rig.step(Event::Tick);
    rig.now = 9 * MS;
    assert_eq!(rig.machine.verdict(), Verdict::Yellow);
    rig.tick_after(MS);
    assert!(matches!(rig.state(), State::Fencing(_)));
}

#[test]
fn a_red_that_was_observed_but_not_judged_is_due_at_once() {
    let mut rig = Rig::protected();
    rig.tick_after(TIMEOUT / 2);
    rig.now += TIMEOUT / 2;
    let stale = beat(FIRST_EPOCH, rig.sequence);
    assert_eq!(rig.step(Event::Observed(&stale)), []);
    assert_eq!(rig.machine.deadline_ns(), Some(rig.now));
    assert!(matches!(
        rig.machine.detector().clone().observe(rig.now, &stale),
        Observation::Repeated
    ));
}

#[test]
fn events_of_a_takeover_mean_nothing_without_one() {
    let mut rig = Rig::protected();
    for stage in STAGES {
        assert_eq!(rig.step(Event::Completed(stage)), []);
        assert_eq!(rig.step(Event::Failed(stage)), []);
    }
    assert_eq!(
        rig.step(Event::CheckedIn {
            core: 1,
            generation: 0
        }),
        []
    );
    assert_eq!(rig.step(Event::RetryRequested), []);
    assert_eq!(rig.step(Event::PrimaryRefused), []);
    assert!(rig.machine.is_protected());
}
