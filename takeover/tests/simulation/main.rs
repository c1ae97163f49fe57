//! Hundreds of seeded machines, whose cores lag, whose signals get lost, and whose observer is sometimes away.
//!
//! The world knows what really runs where. At each raised epoch it checks that no core still runs the old primary,
//! whatever the machine believes; see [`world`].

mod hardware;
mod world;

use takeover::{Cause, Machine, Notice, Refusal, State};
use world::{Death, MS, World};

const SEEDS: u64 = 300;

fn began(world: &World) -> Option<Cause> {
    world.notices.iter().find_map(|notice| match notice {
        Notice::TakeoverBegan { failure, .. } => Some(failure.cause),
        _ => None,
    })
}

/// Boots a world and runs it until it is protected.
fn protected(seed: u64) -> World {
    let mut world = World::new(seed);
    world.boot();
    assert!(
        world.run_until(500 * MS, |world| world.machine.is_protected()),
        "seed {seed}: {:?}",
        world.notices
    );
    world
}

/// Kills the primary at some time, and runs the world until the takeover is over.
fn kill_and_wait(world: &mut World, death: Death) {
    world.kill(death);
    let is_over = |machine: &Machine| {
        matches!(
            machine.state(),
            State::Unprotected | State::Refused(_) | State::Dead
        )
    };
    assert!(
        world.run_until(world.takeover_bound_ns(), |world| is_over(&world.machine)),
        "{}",
        world.describe()
    );
}

#[test]
fn a_living_primary_is_never_fenced() {
    for seed in 0..SEEDS {
        let mut world = protected(seed);
        world.run_until(300 * MS, |_| false);
        assert_eq!(began(&world), None, "{}", world.describe());
        assert!(world.machine.is_protected(), "{}", world.describe());
    }
}

/// Checks the same with an observer that is away for several time-outs: it looks before it judges.
#[test]
fn a_living_primary_survives_an_absent_observer() {
    for seed in 0..SEEDS {
        let mut world = protected(seed);
        for _ in 0..5 {
            world.send_observer_away(20 * MS + seed * MS / 10);
            world.run_until(60 * MS, |_| false);
        }
        assert_eq!(began(&world), None, "{}", world.describe());
    }
}

#[test]
fn a_dead_primary_is_always_fenced_and_replaced_if_its_cores_check_in() {
    let mut causes = [0; 4];
    for seed in 0..SEEDS {
        let mut world = protected(seed);
        let death = world.any_death();
        kill_and_wait(&mut world, death);
        let cause = began(&world).unwrap_or_else(|| panic!("never detected; {}", world.describe()));
        let index = match (death, cause) {
            (Death::Panic { .. }, Cause::Panic) => 0,
            (
                Death::Silence
                | Death::Panic {
                    writes_epitaph: false,
                },
                Cause::Silent,
            ) => 1,
            (Death::HungCore, Cause::Hung | Cause::Silent) => 2,
            (death, cause) => panic!("{death:?} was called {cause}; {}", world.describe()),
        };
        causes[index] += 1;
        assert_eq!(
            world.machine.state(),
            State::Unprotected,
            "{}",
            world.describe()
        );
        assert_eq!(
            world.primary_runs_on(),
            world.machine.primary_cores(),
            "{}",
            world.describe()
        );
    }
    assert!(
        causes[..3].iter().all(|count| *count > SEEDS / 10),
        "not every kind of death was tried: {causes:?}"
    );
}

#[test]
fn one_takeover_after_the_other() {
    for seed in 0..SEEDS / 3 {
        let mut world = protected(seed);
        for takeover in 1..=3 {
            let death = world.any_death();
            kill_and_wait(&mut world, death);
            assert_eq!(
                world.machine.state(),
                State::Unprotected,
                "takeover {takeover}: {}",
                world.describe()
            );
            world.rearm();
            assert!(
                world.run_until(500 * MS, |world| world.machine.is_protected()),
                "{}",
                world.describe()
            );
            assert_eq!(world.machine.epoch(), World::FIRST_EPOCH + takeover);
        }
    }
}

#[test]
fn a_core_that_does_not_check_in_stops_the_takeover_until_it_does() {
    for seed in 0..SEEDS / 3 {
        let mut world = protected(seed);
        let stuck = world.stick_a_core();
        let death = world.any_death();
        kill_and_wait(&mut world, death);
        let State::Refused(Refusal::Unproven { missing }) = world.machine.state() else {
            panic!("{}", world.describe());
        };
        assert!(
            missing.contains(stuck) && missing.len() == 1,
            "{}",
            world.describe()
        );
        assert_eq!(world.machine.epoch(), World::FIRST_EPOCH);
        world.free_the_core();
        world.request_retry();
        let is_up = |world: &World| world.machine.state() == State::Unprotected;
        assert!(
            world.run_until(world.takeover_bound_ns(), is_up),
            "{}",
            world.describe()
        );
    }
}

#[test]
fn a_seed_is_a_world() {
    let run = |seed| {
        let mut world = protected(seed);
        kill_and_wait(&mut world, Death::Silence);
        format!("{:?} at {}", world.notices, world.now)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
