//! One takeover between two Linux tenants: writes, death, and what is left of it.

use std::time::{Duration, Instant};
use std::{fmt, thread};

use serde_json::{Value, json};

use super::gap::Client;
use super::http::{self, Reply};
use crate::machine::Machine;
use crate::problem::{Problem, require, require_equal};

/// A request that fsyncs takes longer than one that does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines written before the death, over these files.
const LINES: u64 = 30;
const FILES: u64 = 3;

/// From a death to the first reply, at most, before it counts as not survived.
const SURVIVAL_LIMIT: Duration = Duration::from_secs(40);

/// How a primary is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Death {
    /// A kernel panic.
    Panic,
    /// All CPUs loop with interrupts off.
    Hang,
}

impl Death {
    fn fault(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "hang-all",
        }
    }

    /// What the timeline calls it.
    fn cause(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "silent",
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault())
    }
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Survived {
    /// What the timeline says.
    pub status: Value,
    /// The longest silence a client saw, in ms.
    pub client_gap_ms: f64,
    /// Lines acknowledged before the death.
    pub acknowledged: u64,
    /// Of those, missing afterwards.
    pub lost: u64,
}

impl Survived {
    /// Time from the detection to an edge, in us.
    pub fn edge_us(&self, name: &str) -> Option<i64> {
        self.status["takeover"]["edges"][format!("{name}_us")].as_i64()
    }

    /// As the demo's last line has it.
    pub fn json(&self) -> Value {
        let edge = |name| self.edge_us(name);
        let detected = edge("last_keepalive").map(|us| -us);
        json!({
            "cause": self.status["takeover"]["cause"],
            "client_gap_ms": self.client_gap_ms,
            "detect_us": detected,
            "fence_us": edge("fenced"),
            "resume_us": edge("resumed"),
            "devices_us": edge("devices_adopted"),
            "disk_us": edge("disk_readable"),
            "serving_us": edge("serving"),
        })
    }
}

/// Waits until the primary serves, lets it acknowledge writes, kills it, and looks what the backup has of them.
///
/// # Errors
/// What is not as it should be.
pub fn survive(machine: &Machine, death: Death, releases: [&str; 2]) -> Result<Survived, Problem> {
    machine
        .console()
        .wait_for_event("ready", machine.time_left(), |_| true)?;
    let port = machine.port()?;
    let ask = |method: &str, target: &str, body: &[u8]| -> Result<Reply, Problem> {
        http::request(port, method, target, body, PATIENCE)
            .map_err(|error| Problem::Failed(format!("{method} {target}: {error}")))
    };
    require(ask("GET", "/", b"")?.text().contains(releases[0]), || {
        "the first to serve is not the primary".into()
    })?;
    let client = Client::start(port);
    let mut acknowledged = 0;
    for number in 0..LINES {
        let target = format!("/append?file={}", number % FILES);
        let reply = ask("POST", &target, format!("line {number}").as_bytes())?;
        require_equal("the answer to an append", reply.status, 200)?;
        acknowledged += 1;
    }
    let died = Instant::now();
    // It does not answer that.
    let _ = http::request(
        port,
        "POST",
        "/fault",
        death.fault().as_bytes(),
        Duration::from_secs(3),
    );
    wait_for_backup(port, died)?;
    let status = status_of(machine)?;
    let seen = client.end();
    let gap = seen.longest_gap(died).ok_or_else(|| {
        Problem::Failed("the client saw no reply before or none after the death".into())
    })?;

    require_equal(
        "the cause",
        status["takeover"]["cause"].as_str(),
        Some(death.cause()),
    )?;
    require_equal(
        "the new primary's kernel",
        status["kernel"].as_str(),
        Some(releases[1]),
    )?;
    let mut files = String::new();
    for file in 0..FILES {
        files += &ask("GET", &format!("/file?file={file}"), b"")?.text();
    }
    let lost = (0..LINES)
        .filter(|number| !files.lines().any(|line| line == format!("line {number}")))
        .count();
    Ok(Survived {
        status,
        client_gap_ms: gap.as_secs_f64() * 1e3,
        acknowledged,
        lost: lost as u64,
    })
}

fn wait_for_backup(port: u16, died: Instant) -> Result<(), Problem> {
    while died.elapsed() < SURVIVAL_LIMIT {
        let reply = http::request(port, "GET", "/file?file=0", b"", Duration::from_secs(1));
        if reply.is_ok_and(|reply| reply.status == 200) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(Problem::Failed(format!(
        "nobody serves the disk {} s after the death",
        SURVIVAL_LIMIT.as_secs()
    )))
}

/// The line that the new primary's init says when everything is up. The first primary says one, too, without a takeover.
fn status_of(machine: &Machine) -> Result<Value, Problem> {
    let until = Instant::now() + machine.time_left().min(SURVIVAL_LIMIT);
    while Instant::now() < until {
        let mut statuses = machine.console().lines().into_iter().filter_map(|line| {
            let (_, text) = line.split_once("init: status ")?;
            serde_json::from_str::<Value>(text.trim()).ok()
        });
        if let Some(status) = statuses
            .next_back()
            .filter(|status| !status["takeover"].is_null())
        {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(Problem::Failed(
        "the new primary does not tell its status".into(),
    ))
}
