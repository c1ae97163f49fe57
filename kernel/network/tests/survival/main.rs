//! Connections survive the death of the kernel that serves them, at whatever instant.
//!
//! Clients with a TCP stack of their own talk to a service over a cable that loses, doubles and corrupts frames. The
//! kernel of the service dies several times in each run, after some number of steps: a step is a record committed or a
//! frame sent. Its successor has only the journal. No client may see a reset or a wrong byte.

mod attack;
mod client;
mod dialogue;
mod farewell;
mod forge;
mod opening;
mod run;
mod scene;
mod server;
mod wire;

use std::ops::Range;

use run::{Hardship, Outcome, run};
use wire::{Cable, NEVER};

/// Environment variable with other seeds than those of the tests.
const SEEDS: &str = "SURVIVAL_SEEDS";
/// Returns the seeds to run: those of the test, or those of `SURVIVAL_SEEDS=FROM..TO`, for a longer campaign or a
/// replay.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(given) = std::env::var(SEEDS) else {
        return usual;
    };
    let (from, to) = given.split_once("..").expect("SURVIVAL_SEEDS=FROM..TO");
    let number = |text: &str| text.parse().expect("SURVIVAL_SEEDS has numbers");
    number(from)..number(to)
}

/// Checks that kernels died often enough for a test to mean something. A replay of some seeds need not have that many.
fn assert_enough(deaths: u64) {
    println!("{deaths} deaths");
    assert!(
        deaths >= 500 || std::env::var_os(SEEDS).is_some(),
        "only {deaths} deaths"
    );
}

fn survive(seeds: Range<u64>, hardship: Hardship) -> u64 {
    let Outcome { deaths, prebuilt } = run_all(seeds, &hardship);
    println!("{prebuilt} sockets were made before a death");
    assert!(
        prebuilt as u64 * 4 > deaths,
        "of {deaths} deaths only {prebuilt} found a socket made"
    );
    deaths
}

/// Runs every seed, and fails with the number of those that went wrong. Returns what happened in all together.
fn run_all(seeds: Range<u64>, hardship: &Hardship) -> Outcome {
    let (mut all, mut wrong) = (Outcome::default(), Vec::new());
    let count = seeds.end - seeds.start;
    for seed in seeds {
        match run(seed, hardship.clone()) {
            Ok(outcome) => {
                all.deaths += outcome.deaths;
                all.prebuilt += outcome.prebuilt;
            }
            Err(reason) => wrong.push(format!("seed {seed}: {reason}")),
        }
    }
    println!("{} of {count} runs went wrong, {hardship:?}", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong[0]);
    all
}

#[test]
fn connections_survive_deaths_on_a_good_cable() {
    let hardship = Hardship {
        clients: 3,
        deaths: 6,
        steps: 1..60,
        cable: Cable::GOOD,
        mtu: None,
    };
    let deaths = survive(seeds(0..150), hardship);
    assert_enough(deaths);
}

#[test]
fn connections_survive_deaths_on_a_bad_cable() {
    let hardship = Hardship {
        clients: 4,
        deaths: 8,
        steps: 1..100,
        cable: Cable {
            loss: 20,
            ..Cable::GOOD
        },
        mtu: None,
    };
    let deaths = survive(seeds(1000..1100), hardship);
    assert_enough(deaths);
}

/// Corrupts one bit of one frame in a hundred, in either direction: a checksum shows it, and nobody acts on it.
#[test]
fn connections_survive_a_cable_that_corrupts() {
    let mut hardship = Hardship {
        clients: 3,
        deaths: 0,
        steps: 1..60,
        cable: Cable {
            loss: NEVER,
            corruption: 100,
        },
        mtu: None,
    };
    run_all(seeds(0..200), &hardship);
    hardship.deaths = 6;
    let deaths = run_all(seeds(0..100), &hardship).deaths;
    assert_enough(deaths);
}

/// Puts a router on the way that drops long packets and says so.
#[test]
fn connections_survive_paths_with_a_small_mtu() {
    for mtu in [1420, 1280, 576] {
        for (deaths, loss) in [(0, NEVER), (4, NEVER), (4, 20)] {
            let hardship = Hardship {
                clients: 3,
                deaths,
                steps: 1..60,
                cable: Cable {
                    loss,
                    ..Cable::GOOD
                },
                mtu: Some(mtu),
            };
            run_all(seeds(0..30), &hardship);
        }
    }
}

/// Kills the kernel once in each run: after the first step, after the second, and so on.
#[test]
fn connections_survive_death_after_any_step() {
    let mut step = 0;
    let mut deaths = 0;
    loop {
        step += 1;
        let hardship = Hardship {
            clients: 2,
            deaths: 1,
            steps: step..step + 1,
            cable: Cable::GOOD,
            mtu: None,
        };
        match run(7, hardship) {
            Ok(Outcome { deaths: 0, .. }) => break,
            Ok(outcome) => deaths += outcome.deaths,
            Err(reason) => panic!("step {step}: {reason}"),
        }
    }
    assert!(deaths >= 100, "only {deaths} deaths");
}
