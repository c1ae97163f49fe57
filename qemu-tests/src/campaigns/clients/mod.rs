//! Clients that others wrote, with their defaults, against a machine: a pool, pipelines and transactions, across a
//! panic and across a hang. What runs them is on this host already; nothing is fetched, and what is missing is named.

mod program;
mod rust_client;

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use harness::client;
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require};

use super::rearm::{OPTIONS, wait_protected};
use program::{Line, Program};

pub use program::Tools;

/// The clients, and what is built on them.
pub const CLIENTS: [&str; 10] = [
    "redis-rs",
    "redis-py",
    "redis-py with hiredis",
    "node-redis",
    "ioredis",
    "hiredis",
    "phpredis",
    "huey",
    "Django's cache",
    "Flask-Session",
];

/// What is known to need what is refused by name, and what that is.
pub const LEFT_OUT: [(&str, &str); 2] = [
    (
        "rq",
        "its results are streams (XADD), its queues' administration scripts (EVALSHA)",
    ),
    (
        "celery",
        "its lock of unacknowledged messages is a script (EVALSHA)",
    ),
];

/// How the primary ends while each client works.
const ENDS: [&str; 2] = ["DEBUG PANIC", "DEBUG HANG all"];
/// Rounds of calls that a client makes after each takeover; the first of them may have begun before.
const ROUNDS_AFTER: usize = 2;
/// Time for the machine's start, and for each client.
const LIMIT_EACH: Duration = Duration::from_secs(150);
/// Time after a round until a primary ends: a part of a round, so that it ends amid calls.
const DELAY: Duration = Duration::from_millis(7);

/// What a client came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Ran {
        /// Calls that it made.
        calls: u64,
        /// Calls that failed, and wrong replies.
        errors: u64,
        /// Changes that were acknowledged and are not there.
        lost: u64,
        /// What it said of its errors, at most some lines.
        said: Vec<String>,
    },
    /// It is not installed here, and why that is known.
    Skipped(String),
}

impl Outcome {
    /// Reads the last line of a client.
    fn of(line: &str, said: Vec<String>) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| value.get(name)?.as_u64();
        Some(Self::Ran {
            calls: number("calls")?,
            errors: number("errors")?,
            lost: number("lost")?,
            said,
        })
    }

    fn is_good(&self) -> bool {
        match self {
            Self::Ran {
                calls,
                errors,
                lost,
                ..
            } => *calls > 0 && (*errors, *lost) == (0, 0),
            Self::Skipped(_) => true,
        }
    }
}

/// What all of them came to.
pub struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    /// Returns whether a client ran, and none had an error or lost anything.
    pub fn is_passed(&self) -> bool {
        let ran = |outcome: &Outcome| matches!(outcome, Outcome::Ran { .. });
        self.0.iter().any(|(_, outcome)| ran(outcome))
            && self.0.iter().all(|(_, outcome)| outcome.is_good())
    }

    /// Returns it as JSON.
    pub fn json(&self) -> Value {
        let (mut clients, mut skipped) = (Vec::new(), Vec::new());
        for (name, outcome) in &self.0 {
            match outcome {
                Outcome::Ran {
                    calls,
                    errors,
                    lost,
                    ..
                } => clients.push(json!({
                    "name": name, "calls": calls, "errors": errors, "lost": lost
                })),
                Outcome::Skipped(reason) => skipped.push(json!({"name": name, "reason": reason})),
            }
        }
        let left_out = LEFT_OUT.map(|(name, reason)| json!({"name": name, "reason": reason}));
        json!({
            "verdict": if self.is_passed() { "passed" } else { "failed" },
            "clients": clients,
            "skipped": skipped,
            "left_out": left_out,
        })
    }
}

/// Runs the clients whose names contain `only`, one after another, and calls `each` with each result.
///
/// # Errors
/// The machine does not serve, or is not protected again.
pub fn run(
    images: &Images,
    accel: Accel,
    tools: &Tools,
    only: &str,
    mut each: impl FnMut(&str, &Outcome),
) -> Result<Report, Problem> {
    let names: Vec<&str> = CLIENTS
        .into_iter()
        .filter(|name| name.contains(only))
        .collect();
    let spec = MachineSpec::new("clients", accel).append(OPTIONS);
    let log = paths::fresh_log(&spec.name)?;
    let limit = LIMIT_EACH * (1 + names.len() as u32);
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, limit))?;
    machine.wait_serving(1)?;
    let (mut outcomes, mut epoch) = (Vec::new(), 1);
    for name in names {
        let outcome = match tools.start(name, machine.port()?)? {
            Ok(program) => across_takeovers(&machine, program, &mut epoch)?,
            Err(reason) => Outcome::Skipped(reason),
        };
        each(name, &outcome);
        outcomes.push((name, outcome));
    }
    machine.closing_word()?;
    machine.end();
    Ok(Report(outcomes))
}

/// Lets primaries end while a client works, each by another end. `epoch` is that of the primary.
fn across_takeovers(
    machine: &QemuMachine,
    mut program: Program,
    epoch: &mut u64,
) -> Result<Outcome, Problem> {
    let port = machine.port()?;
    let mut said = Vec::new();
    for end in ENDS {
        wait_protected(machine, port)?;
        if let Some(outcome) = await_rounds(&mut program, 1, &mut said)? {
            return Ok(outcome);
        }
        thread::sleep(DELAY);
        client::inject(port, end)?;
        *epoch += 1;
        machine.wait_takeover(*epoch)?;
        if let Some(outcome) = await_rounds(&mut program, ROUNDS_AFTER, &mut said)? {
            return Ok(outcome);
        }
    }
    program.stop();
    let outcome = await_rounds(&mut program, usize::MAX, &mut said)?;
    outcome.ok_or_else(|| Problem::Failed("a client does not end".into()))
}

/// Waits for so many rounds of a client. Returns what it came to if it ends.
fn await_rounds(
    program: &mut Program,
    mut rounds: usize,
    said: &mut Vec<String>,
) -> Result<Option<Outcome>, Problem> {
    const SAID_MAX: usize = 5;
    while rounds > 0 {
        match program.next_line(LIMIT_EACH / 3)? {
            Line::Round => rounds -= 1,
            Line::Said(text) => {
                if let Some(outcome) = Outcome::of(&text, said.clone()) {
                    return Ok(Some(outcome));
                }
                if said.len() < SAID_MAX {
                    said.push(text);
                }
            }
            Line::Missing => return Ok(Some(Outcome::Skipped(said.join("; ")))),
            Line::Ended => {
                require(false, || format!("a client ended: {}", said.join("; ")))?;
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(calls: u64, errors: u64, lost: u64) -> Outcome {
        let line = format!(r#"{{"calls":{calls},"errors":{errors},"lost":{lost}}}"#);
        Outcome::of(&line, Vec::new()).unwrap()
    }

    #[test]
    fn what_is_not_installed_is_named_and_does_not_pass() {
        let missing = || Outcome::Skipped("no module".into());
        assert!(!Report(vec![("ioredis", missing())]).is_passed());
        let report = Report(vec![("redis-py", ran(50, 0, 0)), ("ioredis", missing())]);
        assert!(report.is_passed());
        let value = report.json();
        assert_eq!(value["verdict"], "passed");
        assert_eq!(value["clients"][0]["calls"], 50);
        assert_eq!(value["clients"].as_array().unwrap().len(), 1);
        assert_eq!(value["skipped"][0]["name"], "ioredis");
    }

    #[test]
    fn an_error_a_loss_and_a_client_without_calls_fail() {
        for bad in [ran(50, 1, 0), ran(50, 0, 1), ran(0, 0, 0)] {
            let report = Report(vec![("redis-py", ran(50, 0, 0)), ("ioredis", bad)]);
            assert_eq!(report.json()["verdict"], "failed");
        }
    }
}
