//! A primary panics beside a computation, and the backup takes over: the computation makes its steps as before.

use std::time::Duration;

use crate::counter::Marked;
use compute_slice::Mark;
use harness::problem::{Problem, require_equal};
use sharedmem::event::{ComputeEnded, ComputeEntered};
use sharedmem::timeline::Edge;

use super::machine::{Job, by_slice, mean_own, require_some};
use super::report::Figure;
use super::{Bench, NS_PER_INSTRUCTION};

/// Steps of the computation: some before the fault, and some long after it.
const STEPS: u64 = 12_000;

/// When the primary panics, from when it began to serve.
const FAULT_AT: Duration = Duration::from_millis(300);

/// The CPUs, each of a slice of its own: so what is executed in a slice's memory is what its CPU executes.
const CPUS: [&str; 2] = ["2", "3"];

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>, Problem> {
    let jobs = CPUS.map(|cpus| Job {
        cpus,
        mib: 16,
        stall: "1s",
        arguments: format!("heat n=8 steps={STEPS}"),
    });
    let script = format!("exec=\"{}us DEBUG PANIC; PING\"", FAULT_AT.as_micros());
    let counted = bench.start("takeover", &jobs, &script, &[])?;
    let machine = &counted.machine;
    let takeover = machine.wait_first_reply(2)?;
    for number in 0..CPUS.len() {
        let name = format!("job{number}");
        let end = machine.wait_event_where(|it: &ComputeEnded| it.slice == name.as_str())?;
        require_equal("why", end.why.as_str(), "finished")?;
    }
    let entries = machine.console().events::<ComputeEntered>().len();
    require_equal("entries", entries, CPUS.len())?;
    let (debugger, copy) = counted.stop(0)?;
    drop(debugger);
    let marks = counted.marks()?;
    machine.end();
    let log = copy.log();
    let ended_ns = log.iter().find_map(|line| line.split_once("ended_ns="));
    let ended_ns = ended_ns.and_then(|(_, number)| number.parse::<u64>().ok());
    let Some(ended_ns) = ended_ns else {
        return Err(Problem::Failed(format!("the log has no end: {log:?}")));
    };
    let edges = takeover.event.edges;
    let window = (
        takeover.event.fault_ns as f64,
        edges.ns(Edge::Serving).unwrap_or(0) as f64,
    );
    let slices = by_slice(&marks, Mark::Committed);
    require_equal("slices with steps", slices.len(), CPUS.len())?;
    // The slices are told apart by the order in which their code was first executed, which is that of their entries.
    let last = slices[0].last().map_or(0, |last| last.all);
    let at_ns = |mark: &Marked| {
        let until_end = last as f64 - mark.all as f64;
        ended_ns as f64 - until_end * NS_PER_INSTRUCTION
    };
    let mut worst = 1.0_f64;
    let (mut steps_lost, mut seen) = (0, String::new());
    for (cpu, commits) in CPUS.iter().zip(&slices) {
        // That of step 0 too.
        steps_lost += commits.len().abs_diff(STEPS as usize + 1);
        let fault = commits.partition_point(|it| at_ns(it) < window.0);
        let serving = commits.partition_point(|it| at_ns(it) < window.1);
        let (before, rest) = commits.split_at(fault);
        // The step that was under way at the fault, those in between, and the one that was under way at the end.
        let during = &commits[fault.saturating_sub(1)..(serving + 1).min(commits.len())];
        let after = &rest[serving - fault..];
        for (what, steps) in [("before", before), ("during", during), ("after", after)] {
            require_some(&format!("steps {what} the takeover"), steps, 3)?;
        }
        let rates = [mean_own(before)?, mean_own(during)?, mean_own(after)?];
        let slowest = rates.into_iter().fold(0.0, f64::max);
        let fastest = rates.into_iter().fold(f64::MAX, f64::min);
        worst = worst.max(slowest / fastest);
        seen += &format!(
            "{}CPU {cpu}: {:.1}, {:.1} ({} steps), {:.1} instructions a step",
            if seen.is_empty() { "" } else { "; " },
            rates[0],
            rates[1],
            during.len() - 1,
            rates[2]
        );
    }
    Ok(vec![
        Figure::new(
            "takeover_step_ratio",
            "steps before, during and after a takeover, slowest over fastest",
            worst,
        )
        .at_most(1.001)
        .seen(seen),
        Figure::new(
            "steps_lost",
            "steps lost by the takeover",
            steps_lost as f64,
        )
        .at_most(0.0)
        .seen(format!("of {STEPS} in each of {} slices", CPUS.len())),
    ])
}
