//! A computation dies at seeded instants, by every cause, also twice in a run: its result is that of a run without a
//! death, and the next step begins soon.

use std::thread;
use std::time::{Duration, Instant};

use crate::counter::Marked;
use compute::testing::Block;
use compute_slice::{Mark, SliceState};
use debugger::{Debugger, Symbols};
use harness::operator;
use harness::problem::{Problem, require, require_equal};
use harness::random::Random;
use sharedmem::event::{ComputeEnded, ComputeEntered, ComputeRests, Protected};
use sharedmem::slice::DeathCause;

use super::Bench;
use super::machine::{CountedMachine, Job, between_ns, require_some};
use super::report::Figure;

/// What is computed, by two ranks. What a verification takes depends on the data, so it is left out.
const ARGUMENTS: &str = "cg n=16 steps=50 verify=off";

/// The slice's CPUs.
const CPUS: [usize; 2] = [2, 3];

/// A way to die: where a debugger lets a rank go on, and how the monitor must see its end.
struct Cause {
    name: &'static str,
    symbol: &'static str,
    why: &'static str,
    epitaph: Option<DeathCause>,
}

const CAUSES: [Cause; 4] = [
    Cause {
        name: "panic",
        symbol: "compute_trial_panic",
        why: "died",
        epitaph: Some(DeathCause::Panic),
    },
    Cause {
        name: "stray write",
        symbol: "compute_trial_stray_write",
        why: "died",
        epitaph: Some(DeathCause::Exception),
    },
    Cause {
        name: "hang",
        symbol: "compute_trial_hang",
        why: "stalled",
        epitaph: None,
    },
    Cause {
        name: "killed core",
        symbol: "compute_trial_halt",
        why: "stalled",
        epitaph: None,
    },
];

/// What the runs came to.
#[derive(Default)]
struct Seen {
    runs: u64,
    /// Deaths in runs whose result was that of a run without one.
    identical: u64,
    by_cause: [u64; CAUSES.len()],
    deaths: u64,
    twice: u64,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>, Problem> {
    let job = Job {
        cpus: "2-3",
        mib: 16,
        stall: "20ms",
        arguments: ARGUMENTS.into(),
    };
    let expected = undisturbed()?;
    let counted = bench.start("deaths", &[job], "", &[])?;
    counted.machine.wait_serving(1)?;
    counted.machine.wait_event::<Protected>()?;
    let begun = Instant::now();
    let mut seen = Seen::default();
    // The first run, which the boot started, has no death; it says how long one takes.
    let is_identical = finish(&counted, 0, &expected)?;
    require(is_identical, || {
        "without a death it found something else than this host".into()
    })?;
    seen.runs += 1;
    let length = begun.elapsed().max(Duration::from_millis(100));
    let mut random = Random::new(bench.seed);
    let mut generation = 1;
    let symbols = Symbols::of_compute_node()?;
    while seen.deaths < bench.extent.deaths {
        operator::compute(counted.machine.port()?, &[b"START", b"job0"])?;
        generation += 1;
        // Every other run dies twice.
        let wanted = 1 + random.below(2);
        let mut died = 0;
        for _ in 0..wanted {
            counted
                .machine
                .wait_event_where(|it: &ComputeEntered| it.generation == generation)?;
            thread::sleep(length.mul_f64(random.below(1000) as f64 / 1000.0 / wanted as f64));
            let chosen = random.below(CAUSES.len() as u64) as usize;
            let cpu = CPUS[random.below(2) as usize];
            if !kill(&counted, &symbols, cpu, &CAUSES[chosen])? {
                break;
            }
            let is_this = |it: &ComputeEnded| it.generation == generation;
            let end = counted.machine.wait_event_where(is_this)?;
            if end.why == "finished" {
                // It was past its last commit, and the other rank ended the run.
                break;
            }
            require_equal("why", end.why.as_str(), CAUSES[chosen].why)?;
            require_equal("cause", end.cause, CAUSES[chosen].epitaph)?;
            generation += 1;
            died += 1;
            seen.by_cause[chosen] += 1;
        }
        seen.deaths += died;
        seen.twice += u64::from(died == 2);
        let is_identical = finish(&counted, seen.runs, &expected)?;
        seen.runs += 1;
        seen.identical += if is_identical { died } else { 0 };
        println!("bench: {} deaths in {} runs", seen.deaths, seen.runs);
    }
    let marks = counted.marks()?;
    counted.machine.end();
    figures(&marks, &seen, bench.extent.deaths)
}

/// Returns what the computation comes to on this host, without a death.
fn undisturbed() -> Result<Vec<u8>, Problem> {
    let block = Block::new(CPUS.len(), 8 << 20);
    let exit = block.run(|rank| solvers::run(rank, ARGUMENTS));
    require_equal("exit code on the host", exit, Some(0))?;
    let x = block.result::<f64>("x");
    Ok(x.iter().flat_map(|it| it.to_le_bytes()).collect())
}

/// Lets a rank die, unless the run is over. Returns whether it does.
fn kill(
    counted: &CountedMachine,
    symbols: &Symbols,
    cpu: usize,
    cause: &Cause,
) -> Result<bool, Problem> {
    let (mut debugger, copy) = counted.stop(0)?;
    let is_running = copy.control().status.state() == Some(SliceState::Running);
    if is_running {
        debugger.jump(cpu, symbols.named(cause.symbol)?.address)?;
    }
    Ok(is_running)
}

/// Waits for the end of run number `run`. Returns whether its result is the one that is expected.
fn finish(counted: &CountedMachine, run: u64, expected: &[u8]) -> Result<bool, Problem> {
    while counted.machine.console().events::<ComputeRests>().len() as u64 <= run {
        if let Some(end) = counted.machine.console().ended() {
            return Err(Problem::Failed(format!("the machine ended: {end:?}")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let rests = counted.machine.console().events::<ComputeRests>();
    require_equal(
        "end of the run",
        rests[run as usize].why.as_str(),
        "finished",
    )?;
    let (mut debugger, copy): (Debugger, _) = counted.stop(0)?;
    let found = copy.result(&mut debugger, "x")?;
    Ok(found == expected)
}

fn figures(marks: &[Marked], seen: &Seen, wanted: u64) -> Result<Vec<Figure>, Problem> {
    // Where a death is noticed by an epitaph. One without is noticed when nothing was done for `stall=`.
    let mut took_ms = Vec::new();
    for (index, death) in marks.iter().enumerate() {
        if death.mark != Mark::Dies {
            continue;
        }
        // The others may have gone on until they waited for the dead one: so those behind the next entry count.
        let behind = marks[index + 1..].iter();
        let behind = behind.skip_while(|it| it.mark != Mark::Entered);
        let begun = behind.filter(|it| it.mark == Mark::Begun);
        // One of each rank: none makes two steps before all have committed one.
        let last = begun.take(CPUS.len()).last();
        took_ms.extend(last.map(|it| between_ns(death, it) / 1e6));
    }
    require_some(
        "deaths with a step behind them",
        &took_ms,
        seen.deaths as usize,
    )?;
    took_ms.sort_by(f64::total_cmp);
    let noticed = (seen.by_cause[0] + seen.by_cause[1]) as usize;
    let (at_once, stalled) = took_ms.split_at(noticed);
    let longest = at_once.last().copied().unwrap_or(f64::NAN);
    let by_cause: Vec<String> = CAUSES
        .iter()
        .zip(seen.by_cause)
        .map(|(cause, count)| format!("{count} by {}", cause.name))
        .collect();
    Ok(vec![
        Figure::new("own_death_instants", "own deaths at seeded instants", seen.deaths as f64)
            .at_least(wanted as f64)
            .seen(format!("{}; {} runs died twice", by_cause.join(", "), seen.twice)),
        Figure::new(
            "own_death_identical",
            "those in runs whose result is bit by bit that of one without",
            seen.identical as f64,
        )
        .at_least(seen.deaths as f64)
        .seen(format!(
            "{} runs of {ARGUMENTS} on {} ranks, which take turns in the model; until both were in the \
             next step: at most {longest:.3} ms behind a panic or stray write, {:.3} ms behind a hang or \
             a killed core, which stall=20ms finds",
            seen.runs,
            CPUS.len(),
            stalled.last().copied().unwrap_or(f64::NAN)
        )),
    ])
}
