//! Connections survive the death of the kernel that serves them, at whatever instant.
//!
//! Clients with a TCP stack of their own talk to a service over a cable that loses and doubles frames. The kernel of
//! the service dies several times in each run, after some number of steps: a step is a record committed or a frame
//! sent. Its successor has only the journal. No client may see a reset or a wrong byte.

mod client;
mod dialogue;
mod server;
mod wire;

use std::ops::Range;

use client::Clients;
use dialogue::Random;
use server::{Kernel, ServiceState};
use wire::{Way, segment_in};

/// Environment variable with other seeds than those of the tests.
const SEEDS: &str = "SURVIVAL_SEEDS";
/// No frame is lost: one in this many.
const NO_LOSS: u64 = u64::MAX;
const SECOND_NS: u64 = 1_000_000_000;

/// What happened in a run.
#[derive(Debug, Default)]
struct Outcome {
    deaths: u64,
    prebuilt: usize,
    records: usize,
    took_ns: u64,
}

/// How hard a run is.
#[derive(Clone)]
struct Hardship {
    clients: usize,
    deaths: u64,
    /// Number of steps between two deaths.
    steps: Range<u64>,
    /// One frame in this many is lost.
    loss: u64,
}

fn run(seed: u64, hardship: Hardship) -> Result<Outcome, String> {
    let mut random = Random::new(seed);
    let mut clients = Clients::new(hardship.clients, random.next());
    let (mut up, mut down) = (Way::default(), Way::default());
    let steps = |random: &mut Random, deaths| {
        (deaths < hardship.deaths).then(|| {
            let Range { start, end } = hardship.steps;
            start + random.below(end - start)
        })
    };
    let is_cable_bad = hardship.loss != NO_LOSS;
    let mut outcome = Outcome::default();
    let first_steps = steps(&mut random, 0);
    let mut now_ns = 1_000_000;
    let mut kernel = Kernel::start(Vec::new(), now_ns, random.next(), first_steps);
    let mut over_ns = None;
    loop {
        for frame in clients.round(now_ns) {
            if segment_in(&frame)
                .is_some_and(|it| it.is_reset && !clients.may_be_reset(it, is_cable_bad))
            {
                return Err(format!(
                    "a client resets its connection\n{}",
                    clients.describe()
                ));
            }
            up.send(frame, now_ns, hardship.loss, &mut random);
        }
        kernel
            .network
            .device_mut()
            .arrived
            .extend(up.arrived(now_ns));
        for frame in kernel.round(now_ns) {
            if segment_in(&frame)
                .is_some_and(|it| it.is_reset && !clients.may_be_reset(it, is_cable_bad))
            {
                let flows = &ServiceState::of(&kernel.server.journal).flows;
                return Err(format!(
                    "the service resets a connection at {now_ns}\n{}{flows:?}",
                    clients.describe()
                ));
            }
            down.send(frame, now_ns, hardship.loss, &mut random);
        }
        if kernel.server.is_dead() {
            outcome.deaths += 1;
            outcome.prebuilt += kernel.prebuilt;
            now_ns += random.below(5_000_000);
            // Frames that came in meanwhile are lost, or wait in the device.
            if random.one_in(2) {
                up.arrived(now_ns);
            }
            let steps = steps(&mut random, outcome.deaths);
            kernel = Kernel::start(kernel.server.journal, now_ns, random.next(), steps);
        }
        down.arrived(now_ns)
            .into_iter()
            .for_each(|frame| clients.arrive(frame));
        if let Some(client) = clients
            .clients
            .iter()
            .find(|client| client.trouble.is_some())
        {
            return Err(client.trouble.clone().unwrap_or_default());
        }
        if clients.are_done() && *over_ns.get_or_insert(now_ns) + 30 * SECOND_NS < now_ns {
            break;
        }
        if now_ns > 2_000 * SECOND_NS {
            let flows = &ServiceState::of(&kernel.server.journal).flows;
            return Err(format!("it does not end\n{}{flows:?}", clients.describe()));
        }
        let due = [
            clients.due_ns(now_ns),
            kernel.network.due_ns(now_ns),
            up.next_ns(),
            down.next_ns(),
            over_ns.map(|_| now_ns + SECOND_NS),
        ];
        let due = due
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now_ns + SECOND_NS);
        now_ns = due.max(now_ns + 10_000);
    }
    let left = ServiceState::of(&kernel.server.journal);
    if !left.flows.is_empty() {
        return Err(format!("connections are left: {:?}", left.flows));
    }
    outcome.records = kernel.server.journal.len();
    outcome.took_ns = now_ns;
    Ok(outcome)
}

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
    let (mut deaths, mut prebuilt) = (0, 0);
    for seed in seeds {
        match run(seed, hardship.clone()) {
            Ok(outcome) => {
                deaths += outcome.deaths;
                prebuilt += outcome.prebuilt;
            }
            Err(reason) => panic!("seed {seed}: {reason}"),
        }
    }
    println!("{prebuilt} sockets were made before a death");
    assert!(
        prebuilt as u64 * 4 > deaths,
        "of {deaths} deaths only {prebuilt} found a socket made"
    );
    deaths
}

#[test]
fn connections_survive_deaths_on_a_good_cable() {
    let hardship = Hardship {
        clients: 3,
        deaths: 6,
        steps: 1..60,
        loss: NO_LOSS,
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
        loss: 20,
    };
    let deaths = survive(seeds(1000..1100), hardship);
    assert_enough(deaths);
}

/// A kernel dies once in each run: after the first step, after the second, and so on.
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
            loss: NO_LOSS,
        };
        match run(7, hardship) {
            Ok(Outcome { deaths: 0, .. }) => break,
            Ok(outcome) => deaths += outcome.deaths,
            Err(reason) => panic!("step {step}: {reason}"),
        }
    }
    assert!(deaths >= 100, "only {deaths} deaths");
}
