//! Nothing reaches a compute core: neither an interrupt, nor anything else that would lengthen a quantum of work.

use crate::interrupts::InterruptLog;
use compute_slice::{Mark, SliceState};
use harness::problem::{Problem, require, require_equal};
use partition::Range;

use super::Bench;
use super::machine::{Job, between_ns, by_slice, ranges, require_some};
use super::report::Figure;

/// The CPUs, each of a slice of its own: so what is executed in a slice's memory is what its CPU executes.
const CPUS: [&str; 2] = ["2", "3"];

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Figure>, Problem> {
    let jobs = CPUS.map(|cpus| Job {
        cpus,
        mib: 16,
        stall: "1s",
        // More quanta than there is time for.
        arguments: "fwq n=10000 steps=100000000".into(),
    });
    let log = InterruptLog::of("bench-hpc-undisturbed")?;
    let counted = bench.start("undisturbed", &jobs, "", &log.arguments())?;
    let wanted_ns = bench.extent.undisturbed_s * 1e9;
    let marks = counted.wait_marks("quanta", |marks| match marks {
        [first, .., last] => between_ns(first, last) >= wanted_ns,
        _ => false,
    })?;
    let mut states = Vec::new();
    for number in 0..CPUS.len() {
        let (_debugger, copy) = counted.stop(number)?;
        states.push(copy.control().status.state());
    }
    let slices = ranges(&jobs);
    let interrupts = log.count(Range::new(slices[0].start, slices[1].end))?;
    counted.machine.end();
    log.remove();
    require_equal(
        "states",
        states,
        vec![Some(SliceState::Running); CPUS.len()],
    )?;
    require(interrupts.outside > 0, || {
        "QEMU has logged no interrupt of any CPU".into()
    })?;
    let (mut shortest, mut longest, mut quanta) = (u64::MAX, 0, 0);
    let slices = by_slice(&marks, Mark::Work);
    require_equal("slices with quanta", slices.len(), CPUS.len())?;
    for works in slices {
        let (pairs, _) = works.as_chunks::<2>();
        require_some("quanta", pairs, 100)?;
        for [begun, ended] in pairs {
            let took = ended.own - begun.own;
            (shortest, longest) = (shortest.min(took), longest.max(took));
        }
        quanta += pairs.len();
    }
    let seconds = marks.first().zip(marks.last());
    let seconds = seconds.map_or(0.0, |(first, last)| between_ns(first, last) / 1e9);
    Ok(vec![
        Figure::new(
            "compute_interrupts",
            "interrupts on the compute cores",
            interrupts.inside as f64,
        )
        .at_most(0.0)
        .seen(format!(
            "in {seconds:.1} s of model time on {} cores; {} on the others",
            CPUS.len(),
            interrupts.outside
        )),
        Figure::new(
            "fwq_max_over_min",
            "fixed work quantum, longest over shortest",
            longest as f64 / shortest as f64,
        )
        .at_most(1.0001)
        .seen(format!(
            "{quanta} quanta of {shortest} to {longest} instructions"
        )),
    ])
}
