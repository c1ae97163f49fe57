//! Primaries that end in an orderly way: reboot and switchover.

use takeover::{Action, BackupLoss, Cause, Ending, Event, Notice, Stage, State, Successor};

use crate::common::{BOOT_TIMEOUT, Rig, SETTLE, STAGES};

fn end(rig: &mut Rig, ending: Ending) -> Vec<Action> {
    let epoch = rig.machine.epoch();
    rig.step(Event::Ended { epoch, ending })
}

fn fence_and_prepare(rig: &mut Rig) -> Vec<Action> {
    rig.tick_after(SETTLE);
    rig.check_in(&[1, 2, 3]);
    STAGES
        .map(|stage| rig.step(Event::Completed(stage)))
        .concat()
}

fn began(actions: &[Action], wanted: Cause) -> bool {
    actions.iter().any(
        |action| matches!(action, Action::Notify(Notice::TakeoverBegan { failure, .. }) if failure.cause == wanted),
    )
}

#[test]
fn a_reboot_restarts_the_same_image_and_keeps_the_backup() {
    let mut rig = Rig::protected();
    let epoch = rig.machine.epoch();
    assert!(began(&end(&mut rig, Ending::Reboot), Cause::Reboot));
    assert_eq!(rig.machine.successor(), Successor::Same);
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Restart { core: 1 }));
    assert_eq!(rig.machine.epoch(), epoch + 1);
    assert_eq!(
        rig.machine.primary_cores().len(),
        3,
        "spare cores stay the backup's"
    );
    rig.sequence = 0;
    rig.beat();
    assert!(rig.machine.is_protected());
    assert_eq!(rig.machine.successor(), Successor::Backup);
}

#[test]
fn a_restarted_image_that_does_not_come_up_is_taken_over() {
    let mut rig = Rig::protected();
    end(&mut rig, Ending::Reboot);
    fence_and_prepare(&mut rig);
    assert!(began(&rig.tick_after(BOOT_TIMEOUT), Cause::NeverCameUp));
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Promote { core: 1 }));
}

#[test]
fn a_reboot_needs_no_backup_and_does_not_mind_losing_it() {
    for lose_when_fencing in [false, true] {
        let mut rig = Rig::protected();
        if lose_when_fencing {
            end(&mut rig, Ending::Reboot);
            rig.step(Event::BackupLost(BackupLoss::Crashed));
        } else {
            rig.step(Event::BackupLost(BackupLoss::Crashed));
            end(&mut rig, Ending::Reboot);
        }
        let actions = fence_and_prepare(&mut rig);
        assert_eq!(actions.last(), Some(&Action::Restart { core: 1 }));
        rig.sequence = 0;
        rig.beat();
        assert_eq!(rig.state(), State::Unprotected);
    }
}

#[test]
fn a_primary_that_died_alone_can_still_ask_for_its_restart() {
    let mut rig = Rig::protected();
    rig.step(Event::BackupLost(BackupLoss::Crashed));
    rig.epitaph();
    assert_eq!(rig.state(), State::Dead);
    end(&mut rig, Ending::Reboot);
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Restart { core: 1 }));
}

#[test]
fn a_refused_restart_can_be_tried_again() {
    let mut rig = Rig::protected();
    end(&mut rig, Ending::Reboot);
    rig.tick_after(SETTLE);
    rig.check_in(&[1, 2, 3]);
    rig.step(Event::Completed(Stage::RaiseEpoch));
    rig.step(Event::Completed(Stage::SeizeInterrupts));
    rig.step(Event::Failed(Stage::QuietDevices));
    assert!(matches!(rig.state(), State::Refused(_)));
    rig.step(Event::RetryRequested);
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Restart { core: 1 }));
}

#[test]
fn a_switchover_promotes_the_backup_on_the_core_it_wants() {
    let mut rig = Rig::protected();
    rig.machine.set_lead(Some(3));
    assert!(began(&end(&mut rig, Ending::Switchover), Cause::Switchover));
    assert_eq!(rig.machine.next_lead(), Some(3));
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Promote { core: 3 }));
}

#[test]
fn a_core_that_is_not_the_primarys_does_not_lead() {
    let mut rig = Rig::protected();
    rig.machine.set_lead(Some(9));
    rig.epitaph();
    let actions = fence_and_prepare(&mut rig);
    assert_eq!(actions.last(), Some(&Action::Promote { core: 1 }));
}

#[test]
fn the_end_of_another_epoch_is_no_end() {
    let mut rig = Rig::protected();
    let epoch = rig.machine.epoch() - 1;
    let ending = Ending::Reboot;
    assert_eq!(rig.step(Event::Ended { epoch, ending }), []);
    assert_eq!(rig.state(), State::Watching);
}

#[test]
fn an_ordered_stop_is_told_once_and_nobody_takes_over() {
    for loses_backup in [false, true] {
        let mut rig = Rig::protected();
        if loses_backup {
            rig.step(Event::BackupLost(BackupLoss::Crashed));
        }
        assert_eq!(
            end(&mut rig, Ending::Stop),
            [Action::Notify(Notice::Stopped)]
        );
        assert_eq!(
            (rig.machine.deadline_ns(), rig.machine.is_protected()),
            (None, false)
        );
        assert_eq!(rig.tick_after(10 * BOOT_TIMEOUT), []);
        for ending in [Ending::Stop, Ending::Reboot, Ending::Switchover] {
            assert_eq!(end(&mut rig, ending), []);
        }
        assert_eq!((rig.epitaph(), rig.beat()), (vec![], vec![]));
        rig.step(Event::BackupLost(BackupLoss::Crashed));
        assert_eq!(rig.state(), State::Stopped);
    }
}
