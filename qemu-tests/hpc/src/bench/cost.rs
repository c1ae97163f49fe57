//! What a commit costs, and what a death costs with little and with much data.

use std::thread;
use std::time::Duration;

use crate::counter::Marked;
use compute_slice::{Mark, SliceState};
use debugger::Symbols;
use harness::problem::{Problem, require_equal};
use sharedmem::event::ComputeEnded;

use super::Bench;
use super::machine::{CountedMachine, Job, between_ns, mean_own, of, require_some};
use super::report::Figure;

/// The CPU of the only rank.
const CPU: usize = 3;

/// Deaths of the computation with much data: as many as are not given up without a step between them.
const DEATHS_LARGE: usize = 3;

/// Memory of a slice beside its regions: image, page tables, and the scratch heap, which takes a quarter.
const BESIDE_MIB: u64 = 32;

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) fn commit(bench: &Bench<'_>) -> Result<Vec<Figure>, Problem> {
    let n = bench.extent.commit_n;
    let region_mib = (n.pow(3) * 8).div_ceil(1 << 20);
    let job = Job {
        cpus: "3",
        // Three regions, twice, and a vector in the heap.
        mib: (region_mib * 8 * 4 / 3 + BESIDE_MIB).next_multiple_of(2),
        stall: "3600s",
        arguments: format!("hpcg n={n} steps=1000000"),
    };
    let counted = bench.start("commit", &[job], "", &[])?;
    let marks = counted.wait_marks("commits", |marks| of(marks, Mark::Committed).len() > 3)?;
    counted.machine.end();
    // Step 0 is another kind of step.
    let written = &of(&marks, Mark::Written)[1..];
    let committed = of(&marks, Mark::Committed);
    let steps = &committed[1..];
    let longest = written.iter().zip(steps).map(|(w, c)| c.own - w.own).max();
    let longest = longest.unwrap_or(0) as f64;
    let step = mean_own(&committed)?;
    let bytes = 3 * 8 * n.pow(3);
    Ok(vec![
        Figure::new(
            "commit_cost_percent",
            "commit, in percent of a step of HPCG",
            100.0 * longest / step,
        )
        .at_most(1.0)
        .seen(format!(
            "{:.1} MiB of state on a core: {longest} of {step:.0} instructions, {:.3} a byte",
            bytes as f64 / f64::from(1 << 20),
            longest / bytes as f64
        )),
    ])
}

pub(super) fn resume(bench: &Bench<'_>) -> Result<Vec<Figure>, Problem> {
    let small = Resumed {
        data_mib: 1,
        deaths: bench.extent.small_deaths,
        between: Mark::Committed,
    };
    let large = Resumed {
        data_mib: bench.extent.large_mib,
        deaths: DEATHS_LARGE,
        between: Mark::Begun,
    };
    let (small_ns, large_ns) = (small.measure(bench)?, large.measure(bench)?);
    // Not the shortest: of more deaths, more come just before the monitor's look.
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let longest = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
    let of_all = longest(&small_ns).max(longest(&large_ns)) / 1e6;
    Ok(vec![
        Figure::new(
            "own_death_ms",
            "own death to the next step, verification apart, in ms",
            of_all,
        )
        .at_most(1.0)
        .seen(format!(
            "the longest of {} stray writes of one rank",
            small_ns.len() + large_ns.len()
        )),
        Figure::new(
            "resume_1g_over_1m",
            "own death to the next step, much data over little",
            mean(&large_ns) / mean(&small_ns),
        )
        .at_most(1.1)
        .seen(format!(
            "{:.3} ms with {} MiB, {:.3} ms with 1 MiB: the mean of {} and of {}, because the monitor looks for deaths \
             every 0.1 ms",
            mean(&large_ns) / 1e6,
            large.data_mib,
            mean(&small_ns) / 1e6,
            large_ns.len(),
            small_ns.len()
        )),
    ])
}

/// A computation that dies some times.
struct Resumed {
    data_mib: u64,
    deaths: usize,
    /// What it comes to between two deaths.
    between: Mark,
}

impl Resumed {
    /// Returns how long it took from each death to the next step, in ns.
    fn measure(&self, bench: &Bench<'_>) -> Result<Vec<f64>, Problem> {
        let data_mib = self.data_mib;
        let job = Job {
            cpus: "3",
            mib: ((data_mib * 2) * 4 / 3 + BESIDE_MIB).next_multiple_of(2),
            stall: "3600s",
            arguments: format!("sweep n={data_mib} steps=100000000 verify=off"),
        };
        let counted = bench.start("resume", &[job], "", &[])?;
        let deadly = Symbols::of_compute_node()?.named("compute_trial_stray_write")?;
        counted.wait_marks("a step", |marks| !of(marks, Mark::Begun).is_empty())?;
        for death in 0..self.deaths {
            self.wait(&counted, death)?;
            let (mut debugger, copy) = counted.stop(0)?;
            let state = copy.control().status.state();
            require_equal("state", state, Some(SliceState::Running))?;
            debugger.jump(CPU, deadly.address)?;
            drop(debugger);
            let generation = death as u64 + 1;
            let is_this = |it: &ComputeEnded| it.generation == generation;
            counted.machine.wait_event_where(is_this)?;
        }
        self.wait(&counted, self.deaths)?;
        let marks = counted.marks()?;
        counted.machine.end();
        let took = deaths_to_steps(&marks);
        require_some("deaths", &took, self.deaths)?;
        Ok(took)
    }

    /// Waits until the computation has come to its next step behind so many deaths.
    fn wait(&self, counted: &CountedMachine, deaths: usize) -> Result<(), Problem> {
        counted.wait_marks("a step", |marks| {
            let behind = marks.iter().rposition(|it| it.mark == Mark::Dies);
            let behind = &marks[behind.map_or(0, |index| index + 1)..];
            of(marks, Mark::Dies).len() == deaths && behind.iter().any(|it| it.mark == self.between)
        })?;
        thread::sleep(POLL_INTERVAL);
        Ok(())
    }
}

/// Returns the time from each death to the next step, in ns.
fn deaths_to_steps(marks: &[Marked]) -> Vec<f64> {
    let deaths = marks.iter().enumerate();
    let deaths = deaths.filter(|(_, it)| it.mark == Mark::Dies);
    let next = |(index, death): (usize, &Marked)| {
        let mut behind = marks[index..].iter();
        let begun = behind.find(|it| it.mark == Mark::Begun)?;
        Some(between_ns(death, begun))
    };
    deaths.filter_map(next).collect()
}
