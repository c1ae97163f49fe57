//! Redis' own test suite against a machine, in the suite's external mode.
//!
//! The suite is a checkout of Redis 7.0 that the developer has; nothing is fetched. Of its tests, `exceptions` says
//! which are left out and why; the suite's tags leave out what needs `DEBUG`, replicas or files.

mod exceptions;
mod outcome;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::Problem;

pub use exceptions::EXCEPTIONS;
pub use outcome::Outcome;

/// The files of the suite that are run.
pub const UNITS: [&str; 16] = [
    "unit/type/string",
    "unit/type/incr",
    "unit/type/list",
    "unit/type/list-2",
    "unit/type/list-3",
    "unit/type/hash",
    "unit/type/set",
    "unit/type/zset",
    "unit/expire",
    "unit/keyspace",
    "unit/scan",
    "unit/protocol",
    "unit/quit",
    "unit/multi",
    "unit/pubsub",
    "unit/sort",
];

/// Tags of tests that a server from outside the suite cannot pass: there is no `DEBUG` by default, no replica that a
/// client could connect to, no file; `maxmemory` is set at boot. Slow and large tests take hours on an emulator.
const TAGS: &str =
    "-needs:debug -needs:repl -needs:save -needs:reset -needs:config-maxmemory -large-memory";
/// The files of which the slow tests are run, too: they have no others.
const SLOW_UNITS: [&str; 1] = ["unit/type/list-2"];

/// Time for one file of the suite.
const LIMIT_EACH: Duration = Duration::from_secs(1200);

/// What each file of the suite came to.
pub struct Report {
    files: Vec<(String, Outcome)>,
}

impl Report {
    /// Returns whether no test failed, and some passed.
    pub fn is_passed(&self) -> bool {
        let total = self.total();
        total.failed.is_empty() && total.passed > 0
    }

    fn total(&self) -> Outcome {
        let mut total = Outcome::default();
        for (_, outcome) in &self.files {
            total.passed += outcome.passed;
            total.skipped += outcome.skipped;
            total.failed.extend(outcome.failed.iter().cloned());
        }
        total
    }

    /// Returns it as JSON.
    pub fn json(&self) -> Value {
        let total = self.total();
        let files = self.files.iter().map(|(name, outcome)| {
            json!({
                "name": name,
                "passed": outcome.passed,
                "failed": outcome.failed.len(),
                "skipped": outcome.skipped,
                "failures": outcome.failed,
            })
        });
        json!({
            "passed": total.passed,
            "failed": total.failed.len(),
            "skipped": total.skipped,
            "files": files.collect::<Vec<_>>(),
        })
    }
}

/// Runs the files of the suite in the folder `suite` whose names contain `only`, and calls `each` with each result.
///
/// # Errors
/// There is no suite, or no Tcl, or the machine does not serve.
pub fn run(
    images: &Images,
    accel: Accel,
    suite: &Path,
    only: &str,
    mut each: impl FnMut(&str, &Outcome),
) -> Result<Report, Problem> {
    if !suite.join("tests/test_helper.tcl").is_file() {
        return Err(Problem::BrokenSetUp(format!(
            "{} is no checkout of Redis: it has no tests/test_helper.tcl",
            suite.display()
        )));
    }
    let units: Vec<&str> = UNITS
        .into_iter()
        .filter(|unit| unit.contains(only))
        .collect();
    let spec = MachineSpec {
        memory: "2G".into(),
        ..MachineSpec::new("redis-suite", accel)
    };
    let log = paths::fresh_log(&spec.name)?;
    let limit = LIMIT_EACH * (1 + units.len() as u32);
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, limit))?;
    machine.wait_serving(1)?;
    let port = machine.port()?;
    let mut files = Vec::new();
    for unit in units {
        let outcome = run_unit(suite, unit, port)?;
        each(unit, &outcome);
        files.push((unit.to_string(), outcome));
    }
    machine.end();
    Ok(Report { files })
}

fn run_unit(suite: &Path, unit: &str, port: u16) -> Result<Outcome, Problem> {
    let tags = match SLOW_UNITS.contains(&unit) {
        true => TAGS.to_string(),
        false => format!("{TAGS} -slow"),
    };
    let mut command = Command::new("tclsh");
    command
        .current_dir(suite)
        .args(["tests/test_helper.tcl", "--host", "127.0.0.1", "--port"])
        .arg(port.to_string())
        .args(["--single", unit, "--clients", "1", "--durable"])
        .args(["--ignore-encoding", "--ignore-digest", "--tags", &tags])
        .args(["--timeout", &LIMIT_EACH.as_secs().to_string()])
        .stdin(Stdio::null());
    for exception in EXCEPTIONS {
        command.args(["--skiptest", exception.test]);
    }
    let output = command
        .output()
        .map_err(|error| Problem::of_host("tclsh, which runs Redis' suite", error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Outcome::of(unit, &text))
}
