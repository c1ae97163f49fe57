//! A takeover that succeeds: detection, fence, stages, promotion.

use crate::common::{
    BOOT_TIMEOUT, FIRST_EPOCH, MS, Rig, SETTLE, STAGES, TIMEOUT, beat, config, deeds, notices, set,
};
use sharedmem::MAX_CORES;
use takeover::{
    Action, Cause, Config, CoreSet, Edge, Event, Failure, Machine, Notice, Stage, State,
};

fn stamp(edge: Edge, at_ns: u64) -> Action {
    Action::Stamp { edge, at_ns }
}

#[test]
fn the_whole_way() {
    let mut rig = Rig::protected();
    let last = rig.now;
    let detected = rig.now + TIMEOUT;
    assert_eq!(
        rig.tick_after(TIMEOUT),
        [
            Action::Notify(Notice::TakeoverBegan {
                failure: Failure::of(Cause::Silent),
                epoch: FIRST_EPOCH + 1
            }),
            stamp(Edge::LastKeepalive, last),
            stamp(Edge::Detected, detected),
            Action::SendInit {
                cores: set(&[1, 2, 3])
            },
        ]
    );
    assert_eq!(rig.machine.deadline_ns(), Some(detected + SETTLE));
    let startup = Action::SendStartup {
        cores: set(&[1, 2, 3]),
        generation: 1,
    };
    assert_eq!(rig.tick_after(SETTLE), [startup]);
    rig.now += 30_000;
    assert_eq!(rig.check_in(&[3]), []);
    assert_eq!(rig.check_in(&[1]), []);
    assert_eq!(
        rig.check_in(&[2]),
        [
            stamp(Edge::Fenced, rig.now),
            Action::RaiseEpoch {
                to: FIRST_EPOCH + 1
            }
        ]
    );
    assert_eq!(rig.machine.deadline_ns(), None, "the executor is at work");
    assert_eq!(
        rig.step(Event::Completed(Stage::RaiseEpoch)),
        [Action::SeizeInterrupts]
    );
    rig.now += 1000;
    let at_ns = rig.now;
    assert_eq!(
        rig.step(Event::Completed(Stage::SeizeInterrupts)),
        [stamp(Edge::InterruptsSeized, at_ns), Action::QuietDevices]
    );
    assert_eq!(
        rig.step(Event::Completed(Stage::QuietDevices)),
        [
            stamp(Edge::DevicesQuiet, at_ns),
            Action::Promote { core: 1 }
        ]
    );
    assert_eq!(
        (rig.state(), rig.machine.epoch()),
        (State::Promoting, FIRST_EPOCH + 1)
    );
}

#[test]
fn a_panic_does_not_wait_for_the_time_out() {
    let mut rig = Rig::protected();
    rig.now += 1000;
    let actions = rig.step(Event::Epitaph {
        epoch: FIRST_EPOCH,
        core: 2,
    });
    assert_eq!(
        notices(&actions),
        [Notice::TakeoverBegan {
            failure: Failure::on_core(Cause::Panic, 2),
            epoch: FIRST_EPOCH + 1
        }]
    );
    assert!(deeds(&actions).contains(&Action::Stamp {
        edge: Edge::Detected,
        at_ns: 1000
    }));
}

#[test]
fn a_primary_that_panics_before_its_first_keepalive_is_fenced() {
    let mut rig = Rig::new();
    rig.step(Event::BackupReady);
    rig.step(Event::PrimaryStarted { cores: set(&[4]) });
    let actions = rig.epitaph();
    assert_eq!(
        deeds(&actions),
        [
            Action::Stamp {
                edge: Edge::Detected,
                at_ns: 0
            },
            Action::SendInit { cores: set(&[4]) }
        ]
    );
}

#[test]
fn a_primary_that_never_comes_up_is_fenced() {
    let mut rig = Rig::new();
    rig.step(Event::BackupReady);
    rig.step(Event::PrimaryStarted {
        cores: set(&[1, 2]),
    });
    let actions = rig.tick_after(BOOT_TIMEOUT);
    assert_eq!(
        notices(&actions),
        [Notice::TakeoverBegan {
            failure: Failure::of(Cause::NeverCameUp),
            epoch: FIRST_EPOCH + 1
        }]
    );
    assert!(deeds(&actions).contains(&Action::SendInit {
        cores: set(&[1, 2])
    }));
}

#[test]
fn a_refused_image_leaves_nothing_to_fence_and_a_spare_core_leads() {
    let mut rig = Rig::new();
    rig.step(Event::BackupReady);
    assert_eq!(
        rig.step(Event::PrimaryRefused),
        [
            Action::Notify(Notice::TakeoverBegan {
                failure: Failure::of(Cause::ImageRefused),
                epoch: FIRST_EPOCH + 1
            }),
            Action::Stamp {
                edge: Edge::Detected,
                at_ns: 0
            },
            Action::Stamp {
                edge: Edge::Fenced,
                at_ns: 0
            },
            Action::RaiseEpoch {
                to: FIRST_EPOCH + 1
            },
        ]
    );
    let last = STAGES.map(|stage| rig.step(Event::Completed(stage)))[2].clone();
    assert_eq!(last[1], Action::Promote { core: 3 });
    assert_eq!(
        rig.machine.primary_cores(),
        set(&[3, 4, 5]),
        "all of which a later fence must stop"
    );
    assert_eq!(
        deeds(&rig.beat()),
        [Action::StartRemaining {
            cores: set(&[4, 5])
        }]
    );
}

#[test]
fn the_fence_is_waited_for_to_the_last_core() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    assert_eq!(rig.check_in(&[1, 3, 3, 1]), []);
    assert!(matches!(rig.state(), State::Fencing(fence) if fence.pending() == set(&[2])));
    assert_eq!(rig.machine.epoch(), FIRST_EPOCH);
}

#[test]
fn a_stale_check_in_is_no_proof() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    for core in [1, 2, 3] {
        assert_eq!(
            rig.step(Event::CheckedIn {
                core,
                generation: 0
            }),
            [],
            "from boot"
        );
        assert_eq!(
            rig.step(Event::CheckedIn {
                core,
                generation: 2
            }),
            [],
            "from nowhere"
        );
    }
    assert!(matches!(rig.state(), State::Fencing(_)));
}

#[test]
fn the_next_fence_takes_in_the_spare_cores_and_wants_its_own_check_ins() {
    let mut rig = Rig::promoting();
    rig.beat();
    rig.step(Event::Rearmed);
    rig.step(Event::BackupReady);
    rig.epitaph();
    let cores = [1, 2, 3, 4, 5];
    assert_eq!(
        rig.tick_after(SETTLE),
        [Action::SendStartup {
            cores: set(&cores),
            generation: 2
        }]
    );
    for core in cores {
        assert_eq!(
            rig.step(Event::CheckedIn {
                core,
                generation: 1
            }),
            []
        );
    }
    assert_eq!(rig.check_in(&[1, 2, 3]), []);
    let actions = rig.check_in(&[4, 5]);
    assert_eq!(
        deeds(&actions)[1],
        Action::RaiseEpoch {
            to: FIRST_EPOCH + 2
        }
    );
}

#[test]
fn the_lowest_core_of_all_leads_fenced_or_not() {
    let mut rig = Rig::new();
    rig.step(Event::PrimaryStarted {
        cores: set(&[8, 9]),
    });
    rig.step(Event::BackupReady);
    rig.beat();
    rig.epitaph();
    rig.tick_after(SETTLE);
    rig.check_in(&[8, 9]);
    let last = STAGES.map(|stage| rig.step(Event::Completed(stage)))[2].clone();
    assert_eq!(last[1], Action::Promote { core: 3 });
    assert_eq!(
        deeds(&rig.beat()),
        [Action::StartRemaining {
            cores: set(&[4, 5, 8, 9])
        }]
    );
}

#[test]
fn missing_cores_are_struck_again_and_named() {
    let mut rig = Rig::fencing();
    rig.tick_after(SETTLE);
    rig.check_in(&[1]);
    assert_eq!(
        rig.tick_after(5 * MS),
        [
            Action::Notify(Notice::FenceRetry {
                round: 2,
                pending: set(&[2, 3])
            }),
            Action::SendInit {
                cores: set(&[2, 3])
            },
        ]
    );
}

#[test]
fn the_fourth_round_strikes_with_an_nmi_first() {
    let mut rig = Rig::fencing();
    let mut strikes = Vec::new();
    while let State::Fencing(fence) = rig.state() {
        rig.now = rig.now.max(fence.deadline_ns());
        let nmi = deeds(&rig.step(Event::Tick)).contains(&Action::SendNmi {
            cores: set(&[1, 2, 3]),
        });
        strikes.push((rig.machine.state(), nmi));
    }
    let rounds: Vec<u32> = strikes
        .iter()
        .filter(|(_, nmi)| *nmi)
        .map(|(state, _)| {
            if let State::Fencing(fence) = state {
                fence.round()
            } else {
                0
            }
        })
        .collect();
    assert_eq!(rounds, [4, 5, 6]);
}

#[test]
fn stages_come_in_order_and_once() {
    let mut rig = Rig::fenced();
    for (index, stage) in STAGES.into_iter().enumerate() {
        for other in STAGES.into_iter().filter(|other| *other != stage) {
            assert_eq!(
                rig.step(Event::Completed(other)),
                [],
                "{other:?} in {stage:?}"
            );
            assert_eq!(rig.step(Event::Failed(other)), [], "{other:?} in {stage:?}");
        }
        assert_eq!(rig.state(), State::Preparing(stage));
        assert!(
            !rig.step(Event::Completed(stage)).is_empty(),
            "stage {index}"
        );
    }
    assert_eq!(rig.state(), State::Promoting);
}

/// Fences a primary with these cores, of which all but one check in at once and that one in the second round. Returns
/// how many steps it took until the epoch is raised, and when, in ns.
fn fence(cores: u32) -> (usize, u64) {
    let all = CoreSet::from_cores(1..=cores).unwrap();
    let spare = all;
    let mut machine = Machine::new(Config { spare, ..config() }, 0).unwrap();
    machine.step(0, Event::PrimaryStarted { cores: all });
    machine.step(0, Event::BackupReady);
    machine.step(0, Event::Observed(&beat(FIRST_EPOCH, 1)));
    let mut now = 100 * MS;
    let epitaph = Event::Epitaph {
        epoch: FIRST_EPOCH,
        core: 0,
    };
    let actions = machine.step(now, epitaph);
    assert_eq!(actions.len(), takeover::ACTIONS_MAX);
    assert_eq!(actions.last(), Some(&Action::SendInit { cores: all }));
    let mut strikes = 1;
    loop {
        let generation = machine.generation();
        let check_in = |core| Event::CheckedIn { core, generation };
        let coming = match generation {
            0 => 1..1,
            1 => 1..cores,
            _ => cores..cores + 1,
        };
        for core in coming {
            machine.step(now, check_in(core));
        }
        let State::Fencing(fence) = machine.state() else {
            return (strikes, now);
        };
        now = now.max(fence.deadline_ns());
        let actions = machine.step(now, Event::Tick);
        assert!(actions.len() <= 2, "a notice and a strike: {actions:?}");
        strikes += 1;
    }
}

#[test]
fn a_fence_takes_as_long_as_its_slowest_core_however_many_there_are() {
    let few = fence(2);
    assert_eq!(few, (4, 100 * MS + 2 * SETTLE + 5 * MS));
    for cores in [31, 64, 255, MAX_CORES as u32 - 1] {
        assert_eq!(fence(cores), few, "{cores} cores");
    }
}
