//! The executor is absent for a time, as in a paused machine: nobody is blamed for it, and a death is still found.

use sharedmem::cause::Cause;
use takeover::{Event, Failure, FenceConfig, Notice, State, Verdict};

use crate::common::{BACKUP_WAIT, BOOT_TIMEOUT, MS, Rig, SETTLE, TIMEOUT, deeds, notices, set};

const ABSENCES: [u64; 6] = [12 * MS, 20 * MS, 50 * MS, 200 * MS, 1000 * MS, 5000 * MS];

#[test]
fn a_primary_that_was_paused_with_the_executor_is_not_dead() {
    for absence_ns in ABSENCES {
        for silent_before in 0..20 {
            let mut rig = Rig::protected();
            rig.tick_after(silent_before * TIMEOUT / 20);
            assert_eq!(deeds(&rig.tick_after_absence(absence_ns)), []);
            assert_eq!(deeds(&rig.tick_after(TIMEOUT - 1)), [], "{absence_ns}");
            rig.beat();
            assert!(rig.machine.is_protected());
            assert_eq!(rig.machine.verdict(), Verdict::Green);
        }
    }
}

#[test]
fn a_primary_that_died_in_the_absence_is_found_one_time_out_after_it() {
    for absence_ns in ABSENCES {
        let mut rig = Rig::protected();
        rig.tick_after(MS);
        rig.tick_after_absence(absence_ns);
        rig.tick_after(TIMEOUT);
        assert!(matches!(rig.state(), State::Fencing(_)), "{absence_ns}");
    }
}

#[test]
fn a_core_that_stood_still_with_the_executor_is_not_hung() {
    let mut rig = Rig::protected();
    rig.beat();
    rig.tick_after_absence(30 * MS);
    // The timer goes on before the main loops do.
    let mut stale = crate::common::beat(rig.machine.epoch(), rig.sequence);
    for _ in 0..9 {
        stale.sequence += 1;
        rig.step(Event::Observed(&stale));
        assert_eq!(deeds(&rig.tick_after(MS)), []);
    }
    stale.sequence += 1;
    rig.now += MS;
    rig.step(Event::Observed(&stale));
    rig.step(Event::Tick);
    assert!(matches!(rig.state(), State::Fencing(_)), "now it is");
}

#[test]
fn an_executor_that_is_always_late_still_finds_a_dead_primary() {
    for late_ns in [3 * MS, 8 * MS, 100 * MS, 3000 * MS] {
        let mut rig = Rig::protected();
        let mut looks = 0;
        while !matches!(rig.state(), State::Fencing(_)) {
            rig.now = rig.machine.deadline_ns().unwrap() + late_ns;
            rig.step(Event::Tick);
            looks += 1;
            assert!(looks < 6, "it is excused for ever");
        }
    }
}

#[test]
fn a_booting_primary_is_not_blamed_for_the_absence() {
    for started_ns in [0, BOOT_TIMEOUT - MS] {
        let mut rig = Rig::new();
        rig.step(Event::PrimaryStarted {
            cores: set(&[1, 2, 3]),
        });
        rig.step(Event::BackupReady);
        rig.tick_after(started_ns);
        rig.tick_after_absence(2 * BOOT_TIMEOUT);
        assert_eq!(deeds(&rig.tick_after(TIMEOUT - 1)), []);
        assert_eq!(rig.state(), State::Booting);
        rig.tick_after(BOOT_TIMEOUT);
        assert!(matches!(rig.state(), State::Fencing(_)), "but not for ever");
    }
}

#[test]
fn the_round_of_a_fence_is_not_spent_while_the_executor_is_absent() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    let check_in_ns = FenceConfig::default().check_in_ns;
    assert_eq!(deeds(&rig.tick_after_absence(500 * MS)), []);
    assert_eq!(deeds(&rig.tick_after(check_in_ns - 1)), []);
    let mut late = rig;
    assert_eq!(late.tick_after(1).len(), 2, "the second round");
    // However often the executor is absent, the fence ends.
    let mut absences = 0;
    while matches!(late.state(), State::Fencing(_)) {
        late.tick_after_absence(500 * MS);
        absences += 1;
        assert!(absences < 40);
    }
}

#[test]
fn the_wait_for_a_loading_backup_does_not_end_in_the_absence() {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted {
        cores: set(&[1, 2, 3]),
    });
    rig.beat();
    rig.tick_after(TIMEOUT);
    assert!(matches!(rig.state(), State::Holding { .. }));
    rig.tick_after_absence(2 * BACKUP_WAIT);
    assert!(matches!(rig.state(), State::Holding { .. }));
    rig.tick_after(BACKUP_WAIT);
    assert_eq!(rig.state(), State::Dead);
}

#[test]
fn an_absence_is_told_once_then_ever_more_rarely_and_a_short_one_is_not() {
    let mut rig = Rig::protected();
    let mut told = Vec::new();
    for _ in 0..9 {
        told.extend(notices(&rig.tick_after_absence(100 * MS)));
        rig.beat();
    }
    let counts: Vec<u64> = told
        .iter()
        .filter_map(|notice| match notice {
            Notice::SeatAbsent { absences, .. } => Some(*absences),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 2, 4, 8]);
    assert_eq!(notices(&rig.tick_after_absence(9 * MS)), []);
}

#[test]
fn an_epitaph_is_believed_whoever_was_absent() {
    let mut rig = Rig::protected();
    rig.now += 500 * MS;
    let actions = rig.epitaph();
    assert!(notices(&actions).contains(&Notice::TakeoverBegan {
        failure: Failure::on_core(Cause::Panic, 1),
        epoch: rig.machine.epoch() + 1,
    }));
}
