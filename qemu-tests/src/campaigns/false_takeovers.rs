//! How often a machine takes over though nobody died: the price of a short time-out.
//!
//! Nothing is injected. Whatever keeps the primary's keepalives from the monitor for a time-out is the host's doing, as
//! an emulated machine has to share it; so these counts are of this host, and a real machine's are its own.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharedmem::event::{Protected, SeatAbsent, Serving, TakeoverBegan};

use harness::client::ONE_OF_MANY;
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::Problem;
use harness::writer::KeyWriter;

/// Time-outs that are tried, in ms.
const TIMEOUTS_MS: [u64; 4] = [2, 5, 10, 50];

/// Clients of a busy machine.
const WRITERS: usize = 4;

/// For what a machine needs beside the time in which it is watched.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// What a machine does while it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Nothing.
    Idle,
    /// Clients write without end.
    Busy,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
        }
    }
}

/// What one machine did.
#[derive(Clone, Debug)]
pub struct Row {
    timeout_ms: u64,
    load: Load,
    watched: Duration,
    takeovers: usize,
    /// The longest time for which the monitor did not run; `None` if that was never a time-out.
    largest_absence_ns: Option<u64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "time-out {:>3} ms, {}: {} in {:.0} s",
            self.timeout_ms,
            self.load.name(),
            self.takeovers,
            self.watched.as_secs_f64()
        )
    }
}

/// Returns the rows for programs.
pub fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "timeout_ms": row.timeout_ms,
            "load": row.load.name(),
            "hours": row.watched.as_secs_f64() / 3600.0,
            "count": row.takeovers,
            "largest_gap_ms": row.largest_absence_ns.map(|ns| ns as f64 / 1e6),
        })
    };
    rows.iter().map(row).collect()
}

/// Watches a machine for `time` with each time-out and load.
///
/// # Errors
/// A machine does not boot, or does not serve at the end.
pub fn run(
    images: &Images,
    accel: Accel,
    time: Duration,
    mut said: impl FnMut(&Row),
) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for timeout_ms in TIMEOUTS_MS {
        for load in [Load::Idle, Load::Busy] {
            let row = watch(images, accel, timeout_ms, load, time)?;
            said(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn watch(
    images: &Images,
    accel: Accel,
    timeout_ms: u64,
    load: Load,
    time: Duration,
) -> Result<Row, Problem> {
    let words = format!("failover_timeout={timeout_ms}ms failover_rearm=auto");
    let spec = MachineSpec::new("false-takeovers", accel).append(&words);
    let log = paths::fresh_log(&spec.name)?;
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, BOOT_LIMIT + time))?;
    // With a short time-out the first primary may be gone by the time that somebody looks.
    machine.wait_event::<Serving>()?;
    machine.wait_event::<Protected>()?;
    let port = machine.port()?;
    let before = takeovers(&machine);
    let begin = Instant::now();
    let writers: Vec<KeyWriter> = match load {
        Load::Idle => Vec::new(),
        Load::Busy => (0..WRITERS)
            .map(|number| KeyWriter::start(port, format!("writer-{number}"), ONE_OF_MANY))
            .collect(),
    };
    thread::sleep(time);
    let watched = begin.elapsed();
    for writer in writers {
        writer.finish()?;
    }
    let takeovers = takeovers(&machine) - before;
    let absences = machine.console().events::<SeatAbsent>();
    let largest_absence_ns = absences.iter().map(|it| it.unseen_ns).max();
    machine.end();
    Ok(Row {
        timeout_ms,
        load,
        watched,
        takeovers,
        largest_absence_ns,
    })
}

fn takeovers(machine: &QemuMachine) -> usize {
    machine.console().events::<TakeoverBegan>().len()
}
