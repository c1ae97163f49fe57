//! One takeover between two Linux tenants: a client works, the primary dies, and the client checks what is left.

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharedmem::event::Ready;

use super::tenants::Pair;
use harness::images::Images;
use harness::linux::gap::{GapProbe, Handover};
use harness::linux::http;
use harness::linux::ledger::FileAudit;
use harness::linux::writer::{FileWriter, HttpStore};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// Writes to be acknowledged before the death, and after it.
const WRITES_BEFORE: u64 = 60;
const WRITES_AFTER: u64 = 20;

/// A death counts as survived if everything is up again within this time.
const SURVIVAL_LIMIT: Duration = Duration::from_secs(40);

/// How long to wait for the request that kills: it gets no answer, but it must arrive.
const LAST_REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// Between two looks at the console.
const LOOK: Duration = Duration::from_millis(20);

/// How a primary is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Death {
    /// A kernel panic.
    Panic,
    /// All CPUs stand still, interrupts off.
    Hang,
    /// All CPUs spin with interrupts off. Under translation they take the host's processors from the monitor, too.
    Spin,
}

impl Death {
    /// Returns the name that the module for faults and the command line have for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Spin => "spin",
        }
    }

    /// Returns the name that the timeline has for it.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang | Self::Spin => "silent",
        }
    }
}

/// The timeline's name of the cause when a kernel was found dead before it could say why.
const FOUND_DEAD: [&str; 2] = ["silent", "hung"];

/// With a shorter time-out than this an emulated kernel may be found dead before it reports its panic, because it
/// prints first.
const SHORT_TIMEOUT: Duration = Duration::from_millis(100);

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a takeover left.
#[derive(Clone, Debug)]
pub struct Survived {
    /// What `understudyctl status --json` says in the new primary.
    pub status: Value,
    /// How long a client was without a reply.
    pub handover: Handover,
    /// What was acknowledged, and what is left of that.
    pub audit: FileAudit,
}

impl Survived {
    /// Returns the edges of the timeline in the order in which they came, in us since the detection; earlier ones are
    /// negative.
    pub fn edges_us(&self) -> Vec<(String, i64)> {
        let edges = self.status["takeover"]["edges"].as_object();
        let mut edges: Vec<(String, i64)> = edges
            .into_iter()
            .flatten()
            .filter_map(|(name, us)| Some((name.trim_end_matches("_us").into(), us.as_i64()?)))
            .collect();
        edges.sort_by_key(|(_, us)| *us);
        edges
    }

    /// Returns when an edge came, in us since the detection; `None` if it did not come.
    pub fn edge_us(&self, name: &str) -> Option<i64> {
        self.status["takeover"]["edges"][format!("{name}_us")].as_i64()
    }

    /// Returns how long the client was without a reply, in ms.
    pub fn client_gap_ms(&self) -> f64 {
        tenths_of_ms(self.handover.gap)
    }

    /// Returns how long the client was without a reply later, in ms, while the new primary brought up what is not
    /// urgent.
    pub fn settling_gap_ms(&self) -> f64 {
        tenths_of_ms(self.handover.settling)
    }

    /// Formats it for tools. Every time is counted from the detection on, except `detect_us`, which ends with it.
    pub fn json(&self) -> Value {
        let edge = |name| self.edge_us(name);
        json!({
            "cause": self.status["takeover"]["cause"],
            "client_gap_ms": self.client_gap_ms(),
            "settling_gap_ms": self.settling_gap_ms(),
            "detect_us": edge("last_keepalive").map(|us| -us),
            "fence_us": edge("fenced"),
            "resume_us": edge("resumed"),
            "devices_us": edge("devices_adopted"),
            "disk_us": edge("disk_readable"),
            "serving_us": edge("serving"),
            "first_reply_us": edge("first_reply"),
        })
    }
}

/// Rounds to tenths of a millisecond: a client does not see more.
fn tenths_of_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

/// Starts a machine and kills its primary; see [`survive`].
///
/// # Errors
/// `Skipped` where the packages cannot be had; anything that is not as it should be.
pub fn play(
    pair: &Pair,
    images: &Images,
    log: &Path,
    limit: Duration,
    death: Death,
) -> Result<(QemuMachine, Survived), Problem> {
    let machine = pair.start(images, log, limit)?;
    let survived = survive(&machine, pair, death)?;
    Ok((machine, survived))
}

/// Waits until the primary serves, lets a client write, kills the primary, and compares what the client was promised
/// with what it finds.
///
/// # Errors
/// Anything that is not as it should be. A lost write is no error but a finding.
pub fn survive(machine: &QemuMachine, pair: &Pair, death: Death) -> Result<Survived, Problem> {
    let releases = pair.kernels()?.map(|kernel| kernel.release);
    machine.wait_event::<Ready>()?;
    let port = machine.port()?;
    let before = told_status(machine, |status| status["role"] == "primary")?;
    require_equal(
        "the primary's kernel",
        &before["kernel"],
        &json!(releases[0]),
    )?;
    require_equal("protected", &before["protected"], &json!(true))?;

    let client = GapProbe::start(port);
    let writer = FileWriter::start(port);
    writer.wait_more(WRITES_BEFORE, machine.time_left())?;
    kill(port, death)?;
    let status = told_status(machine, |status| !status["takeover"].is_null())?;
    writer
        .wait_more(WRITES_AFTER, machine.time_left().min(SURVIVAL_LIMIT))
        .map_err(|problem| problem.while_doing("writing on after the takeover"))?;

    let audit = writer.finish()?.audit(&mut HttpStore { port })?;
    let seen = client.end();
    let cause = status["takeover"]["cause"].as_str().unwrap_or_default();
    let was_early = pair.timeout < SHORT_TIMEOUT && FOUND_DEAD.contains(&cause);
    require(cause == death.cause() || was_early, || {
        format!(
            "the takeover's cause is {cause:?}, should be {:?}",
            death.cause()
        )
    })?;
    require_equal(
        "the new primary's kernel",
        &status["kernel"],
        &json!(releases[1]),
    )?;
    let handover = seen.handover().ok_or_else(|| {
        Problem::Failed("the client saw no reply before or none after the death".into())
    })?;
    Ok(Survived {
        status,
        handover,
        audit,
    })
}

/// Kills a primary that is a Linux, by its service at `port`.
///
/// # Errors
/// There is an answer, so it did not work.
pub fn kill(port: u16, death: Death) -> Result<(), Problem> {
    end(port, death.name())
}

/// Ends the primary in a way that its service knows.
///
/// # Errors
/// There is an answer, so it did not work.
pub fn end(port: u16, way: &str) -> Result<(), Problem> {
    match http::request(port, "POST", "/fault", way.as_bytes(), LAST_REQUEST_LIMIT) {
        Ok(reply) => Err(Problem::Failed(format!(
            "the primary lives on: {} {}",
            reply.status,
            reply.text().trim()
        ))),
        Err(_) => Ok(()),
    }
}

/// Waits for a status that is as `is_wanted` says. A primary's init prints it when everything is up.
///
/// # Errors
/// There is no such status in the time that a takeover may take.
pub fn told_status(
    machine: &QemuMachine,
    is_wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Problem> {
    status_within(machine, SURVIVAL_LIMIT, is_wanted)
}

/// Waits as [`told_status`] does, for at most `limit`.
pub(crate) fn status_within(
    machine: &QemuMachine,
    limit: Duration,
    is_wanted: impl Fn(&Value) -> bool,
) -> Result<Value, Problem> {
    let until = Instant::now() + machine.time_left().min(limit);
    loop {
        let status = last_status(&machine.console().lines());
        if let Some(status) = status.filter(&is_wanted) {
            return Ok(status);
        }
        if Instant::now() >= until {
            return Err(Problem::TimedOut(
                "no kernel tells that it is the primary and everything is brought up".into(),
            ));
        }
        thread::sleep(LOOK);
    }
}

/// Returns the status that was printed last.
fn last_status(lines: &[String]) -> Option<Value> {
    lines.iter().rev().find_map(|line| status_in(line))
}

/// Reads the status in a line of the console.
fn status_in(line: &str) -> Option<Value> {
    let (_, text) = line.split_once("init: status ")?;
    serde_json::from_str(text.trim()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The status of a new primary, as far as it is of interest here.
    const LINE: &str = "[    7.095051] init: status \
        {\"epoch\":2,\"instance\":1,\"kernel\":\"6.1.0-9-amd64\",\"protected\":false,\"role\":\"primary\",\
        \"takeover\":{\"cause\":\"panic\",\"edges\":{\
        \"detected_us\":0,\"devices_adopted_us\":30500,\"disk_readable_us\":41000,\"fenced_us\":1100,\
        \"first_reply_us\":60500,\"last_keepalive_us\":-900,\"resumed_us\":5200,\"serving_us\":58000},\
        \"epoch\":2,\"fence_rounds\":1}}";

    pub(crate) fn survived() -> Survived {
        Survived {
            status: status_in(LINE).unwrap(),
            handover: Handover {
                gap: Duration::from_micros(131_260),
                settling: Duration::from_millis(40),
            },
            audit: FileAudit {
                files_acked: 12,
                ..FileAudit::default()
            },
        }
    }

    #[test]
    fn a_status_is_read_from_the_console() {
        assert!(status_in(LINE).is_some());
        for other in ["", "init: status {\"cut", "init: event=ready", "status {}"] {
            assert_eq!(status_in(other), None, "{other}");
        }
        let earlier = LINE.replace("\"epoch\":2", "\"epoch\":1");
        let lines = [earlier, LINE.into(), "init: event=ready".into()];
        assert_eq!(last_status(&lines).unwrap()["epoch"], 2);
        assert_eq!(last_status(&lines[2..]), None);
    }

    #[test]
    fn the_json_has_what_is_promised() {
        let object = survived().json();
        assert_eq!(
            object,
            json!({
                "cause": "panic",
                "client_gap_ms": 131.3,
                "settling_gap_ms": 40.0,
                "detect_us": 900,
                "fence_us": 1100,
                "resume_us": 5200,
                "devices_us": 30500,
                "disk_us": 41000,
                "serving_us": 58000,
                "first_reply_us": 60500,
            })
        );
        let mut without_disk = survived();
        without_disk.status["takeover"]["edges"]["disk_readable_us"].take();
        assert_eq!(without_disk.json()["disk_us"], Value::Null);
    }

    #[test]
    fn edges_come_in_their_order() {
        let edges = survived().edges_us();
        assert_eq!(edges.len(), 8);
        assert_eq!(edges[0], ("last_keepalive".into(), -900));
        assert_eq!(edges[7], ("first_reply".into(), 60_500));
    }
}
