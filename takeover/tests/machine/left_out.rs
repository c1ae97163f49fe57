//! Cores that do not come when they are started: no fence waits for them, and they are not taken for hung.

use crate::common::{BOOT_TIMEOUT, FIRST_EPOCH, MS, Rig, SETTLE, STAGES, beat, deeds, set};
use takeover::{Action, Cause, Event, Failure, Stage, State, Verdict};

fn left_out(core: u32, index: Option<u32>) -> Event<'static> {
    Event::CoreLeftOut { core, index }
}

#[test]
fn no_fence_waits_for_a_core_that_was_left_out_and_no_successor_gets_it() {
    let mut rig = Rig::protected();
    assert_eq!(rig.step(left_out(2, Some(1))), []);
    assert_eq!(rig.step(left_out(4, None)), []);
    assert!(rig.machine.is_protected());
    let actions = rig.epitaph();
    let init = Action::SendInit {
        cores: set(&[1, 3]),
    };
    assert!(deeds(&actions).ends_with(&[init]), "{actions:?}");
    rig.tick_after(SETTLE);
    rig.check_in(&[1, 3]);
    assert_eq!(rig.state(), State::Preparing(Stage::RaiseEpoch));
    for stage in STAGES {
        rig.step(Event::Completed(stage));
    }
    let cores = set(&[3, 5]);
    assert!(rig.beat().contains(&Action::StartRemaining { cores }));
}

/// Lets a primary's cores 0 and 2 move for longer than a core may take to boot.
fn only_core_1_stands_still(rig: &mut Rig) {
    let mut slot = beat(FIRST_EPOCH, 10);
    for _ in 0..=BOOT_TIMEOUT / MS {
        rig.now += MS;
        slot.sequence += 1;
        slot.progress[0] += 1;
        slot.progress[2] += 1;
        rig.step(Event::Observed(&slot));
        rig.step(Event::Tick);
    }
}

#[test]
fn a_core_that_was_left_out_may_stand_still() {
    let mut hung = Rig::protected();
    only_core_1_stands_still(&mut hung);
    let failure = Failure::on_core(Cause::Hung, 1);
    assert_eq!(hung.machine.verdict(), Verdict::Red(failure));

    let mut rig = Rig::protected();
    rig.step(left_out(2, Some(1)));
    only_core_1_stands_still(&mut rig);
    assert!(rig.machine.is_protected());
}

#[test]
fn the_last_core_for_a_successor_is_not_left_out() {
    let mut rig = Rig::promoting();
    for core in [3, 4, 5] {
        rig.step(left_out(core, None));
    }
    rig.beat();
    rig.step(Event::Rearmed);
    rig.step(Event::BackupReady);
    let init = Action::SendInit {
        cores: set(&[1, 2, 5]),
    };
    assert!(rig.epitaph().contains(&init));
}
