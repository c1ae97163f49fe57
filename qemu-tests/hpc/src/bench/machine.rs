//! A machine of the model with one compute slice, whose marks are counted.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::SliceCopy;
use crate::counter::{Counter, Marked};
use compute_slice::Mark;
use debugger::Debugger;
use harness::machine::{Launch, QemuMachine};
use harness::model;
use harness::problem::{Problem, require};
use partition::Range;
use sharedmem::event::Refused;

use super::{Bench, NS_PER_INSTRUCTION};

/// Where the image lies in the archive.
pub const NODE_PATH: &str = "/boot/compute-node";

/// Where slices begin that lie in low memory, of which this machine has 2 GiB.
const LOW_START: u64 = 0x1000_0000;

/// Where larger slices begin.
const HIGH_START: u64 = 1 << 32;

/// MiB of slices up to which they lie in low memory.
const LOW_MIB_MAX: u64 = 1024;

/// The slowest machine needs minutes on a slow host.
const LIMIT: Duration = Duration::from_secs(1800);

/// Between two looks at what was counted.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A slice, and what runs in it.
pub struct Job<'j> {
    /// CPUs, as in `compute=`.
    pub cpus: &'j str,
    /// MiB of the slice.
    pub mib: u64,
    /// How long it may stand still, as in `compute=`.
    pub stall: &'j str,
    /// What is computed.
    pub arguments: String,
}

fn mib_of(jobs: &[Job<'_>]) -> u64 {
    jobs.iter().map(|job| job.mib).sum()
}

/// Returns where the slices of these jobs lie: one behind the other.
pub fn ranges(jobs: &[Job<'_>]) -> Vec<Range> {
    let mut start = match mib_of(jobs) <= LOW_MIB_MAX {
        true => LOW_START,
        false => HIGH_START,
    };
    let range = |job: &Job<'_>| {
        let range = Range::new(start, start + (job.mib << 20));
        start = range.end;
        range
    };
    jobs.iter().map(range).collect()
}

/// Returns what the boot line says of a job.
fn clause(number: usize, job: &Job<'_>, range: &Range) -> String {
    let Job {
        cpus,
        mib,
        stall,
        arguments,
    } = job;
    let start = range.start;
    format!(
        " \"compute=job{number}:{NODE_PATH},cpus={cpus},mem={mib}M@{start:#x},stall={stall},args={arguments}\""
    )
}

/// A machine whose slices are counted.
pub struct CountedMachine {
    /// The machine.
    pub machine: QemuMachine,
    counter: Counter,
    slices: Vec<Range>,
}

impl Bench<'_> {
    /// Starts a machine with these jobs.
    pub fn start(
        &self,
        name: &str,
        jobs: &[Job<'_>],
        line: &str,
        emulator: &[String],
    ) -> Result<CountedMachine, Problem> {
        let name = format!("bench-hpc-{name}");
        let counter = Counter::build(&name)?;
        let slices = ranges(jobs);
        let mut spec = model::machine(name, self.qemu).append("debug=1 admin=1");
        for (number, (job, range)) in jobs.iter().zip(&slices).enumerate() {
            spec = spec.append(&clause(number, job, range));
        }
        spec = spec.append(line);
        // What lies below the slices, the slices, and the kernels. Above 2 GiB of memory the rest lies above 4 GiB.
        let below = match mib_of(jobs) <= LOW_MIB_MAX {
            true => LOW_START >> 20,
            false => 2048,
        };
        spec.memory = format!("{}M", below + mib_of(jobs) + 256);
        spec.emulator.extend(counter.arguments());
        spec.emulator.extend(emulator.iter().cloned());
        let launch = Launch {
            archive: self.archive.clone(),
            ..Launch::of(self.images, &self.log, LIMIT)
        };
        Ok(CountedMachine {
            machine: QemuMachine::start(&spec, &launch)?,
            counter,
            slices,
        })
    }
}

impl CountedMachine {
    /// Returns the marks so far.
    pub fn marks(&self) -> Result<Vec<Marked>, Problem> {
        self.counter.read()
    }

    /// Waits until the marks are `enough`, and returns them.
    pub fn wait_marks(
        &self,
        what: &str,
        enough: impl Fn(&[Marked]) -> bool,
    ) -> Result<Vec<Marked>, Problem> {
        loop {
            let marks = self.marks()?;
            if enough(&marks) {
                return Ok(marks);
            }
            let is_refused = !self.machine.console().events::<Refused>().is_empty();
            if is_refused || self.machine.time_left().is_zero() {
                let tail = self.machine.console().tail(3).join("; ");
                return Err(Problem::TimedOut(format!("{what}: {tail}")));
            }
            if let Some(end) = self.machine.console().ended() {
                let tail = self.machine.console().tail(3).join("; ");
                return Err(Problem::Failed(format!(
                    "{what}: the machine ended: {end:?}: {tail}"
                )));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Stops the machine, and copies the control block of a slice.
    pub fn stop(&self, number: usize) -> Result<(Debugger, SliceCopy), Problem> {
        let mut debugger = Debugger::attach(&self.machine)?;
        let copy = SliceCopy::read(&mut debugger, self.slices[number])?;
        Ok((debugger, copy))
    }
}

/// Returns the model's time between two marks, in ns. Some CPU must have been awake all the time, as ranks are.
pub fn between_ns(earlier: &Marked, later: &Marked) -> f64 {
    (later.all - earlier.all) as f64 * NS_PER_INSTRUCTION
}

/// Returns the marks of one kind, apart for each slice.
pub fn by_slice(marks: &[Marked], mark: Mark) -> Vec<Vec<Marked>> {
    let mut slices: BTreeMap<u64, Vec<Marked>> = BTreeMap::new();
    for marked in marks {
        let of_slice = slices.entry(marked.memory).or_default();
        of_slice.extend((marked.mark == mark).then_some(*marked));
    }
    slices.into_values().collect()
}

/// Returns the marks of one kind, of all slices.
pub fn of(marks: &[Marked], mark: Mark) -> Vec<Marked> {
    let all = marks.iter().filter(|it| it.mark == mark);
    all.copied().collect()
}

/// Returns the mean of what the CPU of a slice executed from the first of these marks to the last, per interval.
pub fn mean_own(marks: &[Marked]) -> Result<f64, Problem> {
    let [first, .., last] = marks else {
        return Err(Problem::Failed("fewer than two steps were seen".into()));
    };
    Ok((last.own - first.own) as f64 / (marks.len() - 1) as f64)
}

/// Requires that something was measured at all.
pub fn require_some<T>(what: &str, list: &[T], at_least: usize) -> Result<(), Problem> {
    require(list.len() >= at_least, || {
        format!("{what}: {} were seen, not {at_least}", list.len())
    })
}
