//! The seeds that every run of the tests takes.

use sharedmem::MAX_CORES;
use simulation::campaign::{Campaign, Seeds, Sum};
use simulation::run::run;
use simulation::scenario::plan::{Moment, Plan, Strike};
use simulation::scenario::{Chaos, Mode, Scenario};

/// Seeds that showed a bug once. A seed means another run after each change to the simulation, so its worth fades.
const REGRESSIONS: [(u64, Mode); 3] = [
    // A large value, told to a new backup in one round on a slow core, looked like a main loop that stands still.
    (6290, Mode::Safety),
    // A backup with a changed value that became the primary stored that value anew, so nobody found the change.
    (161, Mode::Safety),
    // A fault in each boot of a row: the machine has reset itself as often as it may, and stands still.
    (8269, Mode::Safety),
];

fn sum_of(seeds: &str, is_liveness: bool) -> Sum {
    let campaign = Campaign::new(seeds.parse::<Seeds>().unwrap(), is_liveness, true);
    campaign.work();
    let sum = campaign.sum();
    println!("{sum}");
    sum
}

#[test]
fn no_law_is_broken() {
    let sum = sum_of("0..400", false);
    assert_eq!((sum.seeds, sum.failed), (400, 0));
    assert!(sum.whole > 350 && sum.takeovers > 200, "{sum}");
}

#[test]
fn protection_is_restored_after_every_fault_that_leaves_a_machine() {
    let sum = sum_of("10000..10200", true);
    assert_eq!((sum.whole, sum.failed), (200, 0));
}

/// Checks that a machine whose cores all stop together for 0.2 to 5 s is not taken over for it.
#[test]
fn a_paused_machine_is_not_taken_over() {
    for seed in 0..100 {
        let pause_ns = 200_000_000 + seed * 48_000_000;
        let mut scenario = Scenario::of(seed, Mode::Liveness).only_paused(pause_ns);
        scenario.faults = vec![Plan {
            strike: Strike::MachinePause { ns: pause_ns },
            moment: Moment::Access(20 + seed * 31),
        }];
        let outcome = run(scenario);
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert_eq!(outcome.takeovers, 0, "seed {seed}: {outcome}");
    }
}

/// Checks that the largest machine is fenced and protected again, and that no core is forgotten: its primary hangs, and
/// the next one is started on all cores.
#[test]
fn the_largest_machine_is_taken_over() {
    let mut scenario = Scenario::of(1, Mode::Liveness);
    scenario.core_count = MAX_CORES as u32;
    (scenario.clients, scenario.commands) = (1, 10);
    (scenario.signals, scenario.wire) = (Chaos::NONE, Chaos::NONE);
    scenario.faults = vec![Plan {
        strike: Strike::Silence,
        moment: Moment::Access(200),
    }];
    let outcome = run(scenario);
    assert_eq!(outcome.violation, None, "{outcome}");
    assert_eq!(outcome.takeovers, 1, "{outcome}");
}

/// Checks that a machine goes on whose new primary finds damage, so that no later one could read the state yet, and
/// gives its backup up while it is fenced.
#[test]
fn a_backup_that_is_given_up_amid_a_fence_keeps_no_machine_from_going_on() {
    for (seed, flips, damaged_at, dropped_at, ns) in [
        (1920, 18, 18, 31, 16_808_354),
        (2964, 19, 0, 22, 37_983_991),
        (3444, 16, 35, 29, 23_209_708),
    ] {
        let mut scenario = Scenario::of(seed, Mode::Safety);
        scenario.faults = vec![
            Plan {
                strike: Strike::Damage { flips },
                moment: Moment::Access(damaged_at),
            },
            Plan {
                strike: Strike::PauseAndDrop { ns },
                moment: Moment::Access(dropped_at),
            },
        ];
        let outcome = run(scenario);
        assert_eq!(outcome.violation, None, "seed {seed}: {outcome}");
        assert!(outcome.resets > 0, "seed {seed}: {outcome}");
    }
}

#[test]
fn what_was_mended_stays_mended() {
    for (seed, mode) in REGRESSIONS {
        let outcome = run(Scenario::of(seed, mode));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn a_seed_is_a_world() {
    for seed in [3, 7, 10] {
        let [once, twice] = [(); 2].map(|()| run(Scenario::of(seed, Mode::Safety)));
        assert_eq!(once, twice);
    }
}
