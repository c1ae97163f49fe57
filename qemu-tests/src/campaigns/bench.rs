//! `bench takeover`: measures what a takeover costs, counted in instructions by the deterministic model.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use partition::Options;
use serde_json::{Value, json};
use sharedmem::event;

use harness::client;
use harness::console::Logged;
use harness::images::Images;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::model::{self, CLOSING_WORD, ModelRun, Scenario};
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use harness::setup::{HostTools, Version};
use harness::steady::{SteadyClient, Workload};

/// The model's time for an instruction: `-icount shift=3`.
const NS_PER_INSTRUCTION: f64 = 8.0;

/// The slowest machine here, with a million keys, needs minutes on a slow host.
const MACHINE_LIMIT: Duration = Duration::from_secs(600);

/// Distance of the faults of one series. It does not divide the keepalive's period, so they fall at different times in
/// it.
const FAULT_SHIFT: Duration = Duration::from_micros(137);

const KEYS_USUAL: u64 = 10_000;
const KEYS_FEW: u64 = 1_000;
const KEYS_MANY: u64 = 1_000_000;
const KEYS_CHECKPOINT: u64 = 100_000;
const CONNECTIONS: u64 = 256;

/// A figure, and its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    key: &'static str,
    text: &'static str,
    value: f64,
    unit: &'static str,
    at_most: f64,
}

impl Figure {
    /// Says whether the figure meets its target.
    pub fn is_met(&self) -> bool {
        self.value <= self.at_most
    }
}

/// All figures.
#[derive(Clone, Debug)]
pub struct BenchReport {
    figures: Vec<Figure>,
    runs: u32,
}

/// Measures everything; each takeover `runs` times, with the fault at another moment.
///
/// # Errors
/// A machine does not do what it should.
pub fn takeover(images: &Images, tools: HostTools, runs: u32) -> Result<BenchReport, Problem> {
    let log = paths::fresh_log("bench-takeover")?;
    let bench = Bench {
        images,
        qemu: tools.qemu,
        log: &log,
        runs,
    };
    let panics = bench.series("panic", KEYS_USUAL, "DEBUG PANIC")?;
    let hangs = bench.series("hang", KEYS_USUAL, "DEBUG HANG all")?;
    let (few, many) = (bench.large(KEYS_FEW)?, bench.large(KEYS_MANY)?);
    let (footprint_kib, append_ns) = bench.footprint_and_append()?;
    let checkpoint_us = bench.checkpoint()?;
    let restored_us = bench.restoring()?;
    let figures = vec![
        Figure {
            key: "cause_to_first_reply_us",
            text: "panic -> first reply, 10,000 keys",
            value: worst(&panics, |run| Ok(detect_us(run)? + to_first_reply_us(run)?))?,
            unit: "us",
            at_most: 1020.0,
        },
        Figure {
            key: "detected_to_first_reply_us",
            text: "detected -> first reply, 10,000 keys",
            value: worst(&panics, to_first_reply_us)?,
            unit: "us",
            at_most: 1000.0,
        },
        Figure {
            key: "panic_to_detected_us",
            text: "panic -> detected",
            value: worst(&panics, detect_us)?,
            unit: "us",
            at_most: 20.0,
        },
        Figure {
            key: "hang_to_detected_us",
            text: "silent hang -> detected",
            value: worst(&hangs, detect_us)?,
            unit: "us",
            at_most: hang_limit_us(&model::machine("bench", tools.qemu))?,
        },
        Figure {
            key: "growth_1m_over_1k",
            text: "takeover with 1,000,000 keys over 1,000",
            value: to_first_reply_us(&many)? / to_first_reply_us(&few)?,
            unit: "times",
            at_most: 1.1,
        },
        Figure {
            key: "checkpoint_longest_us",
            text: "longest pause while a new backup is told 100,000 keys",
            value: checkpoint_us,
            unit: "us",
            at_most: 2000.0,
        },
        Figure {
            key: "restored_256_us",
            text: "256 idle connections restored, in all",
            value: restored_us,
            unit: "us",
            at_most: 2000.0,
        },
        Figure {
            key: "backup_footprint_kib",
            text: "the backup's memory, without the service's state",
            value: footprint_kib,
            unit: "KiB",
            at_most: 16.0 * 1024.0,
        },
        Figure {
            key: "journal_append_64b_instructions",
            text: "journal append + commit, 64 bytes",
            value: append_ns / NS_PER_INSTRUCTION,
            unit: "instructions",
            at_most: 400.0,
        },
    ];
    Ok(BenchReport { figures, runs })
}

struct Bench<'a> {
    images: &'a Images,
    qemu: Version,
    log: &'a Path,
    runs: u32,
}

impl Bench<'_> {
    /// Runs the same death at different moments.
    fn series(&self, name: &str, keys: u64, fault: &str) -> Result<Vec<ModelRun>, Problem> {
        let run = |index: u32| {
            println!(
                "bench: {fault} with {keys} keys, {} of {}",
                index + 1,
                self.runs
            );
            let mut scenario = Scenario::new(format!("bench-{name}"), keys, fault, self.qemu);
            scenario.fault_at += FAULT_SHIFT * index;
            scenario.run(self.images, self.log, MACHINE_LIMIT)
        };
        (0..self.runs).map(run).collect()
    }

    /// Runs a panic on a machine with room for a million keys, with `keys` in it.
    fn large(&self, keys: u64) -> Result<ModelRun, Problem> {
        println!("bench: DEBUG PANIC with {keys} keys on the large machine");
        let mut scenario = Scenario::new("bench-large", keys, "DEBUG PANIC", self.qemu);
        scenario.machine.memory = "2G".into();
        scenario.machine = scenario.machine.append("failover_mem=768M");
        scenario.run(self.images, self.log, MACHINE_LIMIT)
    }

    /// Measures the longest time that the main loop spends at once on a checkpoint for a new backup, in us.
    fn checkpoint(&self) -> Result<f64, Problem> {
        println!("bench: arming again with {KEYS_CHECKPOINT} keys");
        let script = format!(
            "failover_rearm=auto failover_mem=128M debug=1 \
             exec=\"DEBUG POPULATE {KEYS_CHECKPOINT}; 2500ms DEBUG PANIC; PING; DEBUG CHECKPOINT\""
        );
        let spec = model::machine("bench-rearm", self.qemu).append(&script);
        let machine = QemuMachine::start(&spec, &Launch::of(self.images, self.log, MACHINE_LIMIT))?;
        machine.wait_takeover(2)?;
        let told: event::Checkpoint = machine.wait_event()?;
        require_equal("keys that were told", told.keys, KEYS_CHECKPOINT)?;
        // The first time was at the boot.
        let mut seen = 0;
        machine
            .console()
            .wait_for("a new backup", machine.time_left(), |line| {
                seen += usize::from(Logged::<event::Protected>::parse(line).is_some());
                (seen == 2).then_some(())
            })?;
        Ok(told.longest_ns as f64 / 1000.0)
    }

    /// Measures the time that the new primary spends on the sockets of connections that outlive the old primary, in us.
    ///
    /// The connections are idle. The clients are real and come through QEMU's user network, so their frames arrive at
    /// other times in every run; the figure is of that work alone and does not depend on it.
    fn restoring(&self) -> Result<f64, Problem> {
        println!("bench: DEBUG PANIC with {CONNECTIONS} connections");
        let spec = model::machine("bench-connections", self.qemu).append("debug=1");
        let machine = QemuMachine::start(&spec, &Launch::of(self.images, self.log, MACHINE_LIMIT))?;
        machine.wait_serving(1)?;
        let port = machine.port()?;
        let mut clients = Vec::new();
        for number in 0..CONNECTIONS {
            let client = SteadyClient::start(port, Workload::Idle, &format!("idle-{number}"));
            SteadyClient::all_do_more(std::slice::from_ref(&client), 1, machine.time_left())?;
            clients.push(client);
        }
        client::inject(port, "DEBUG PANIC")?;
        let restored = machine.wait_event_where(|it: &event::Restored| it.epoch == 2)?;
        let count = restored.connections;
        require(count >= CONNECTIONS, || {
            format!("only {count} connections were restored")
        })?;
        for client in clients {
            client.finish()?;
        }
        Ok(restored.took_ns as f64 / 1000.0)
    }

    /// Measures what needs no death: the backup's footprint in KiB, and an append to the journal in ns.
    fn footprint_and_append(&self) -> Result<(f64, f64), Problem> {
        println!("bench: the journal");
        let script =
            format!("debug=1 exec=\"200ms DEBUG JOURNAL-BENCH 10000; ECHO {CLOSING_WORD}\"");
        let spec = model::machine("bench-journal", self.qemu).append(&script);
        let machine = QemuMachine::start(&spec, &Launch::of(self.images, self.log, MACHINE_LIMIT))?;
        machine.said_closing_word(CLOSING_WORD)?;
        let footprint: event::Footprint = machine.wait_event()?;
        let journal: event::JournalBench = machine.wait_event()?;
        Ok((
            footprint.total_kib as f64,
            journal.took_ns as f64 / journal.records as f64,
        ))
    }
}

fn to_first_reply_us(run: &ModelRun) -> Result<f64, Problem> {
    run.takeover
        .detected_to_first_reply_us()
        .ok_or_else(|| Problem::Failed("the takeover has no first reply".into()))
}

fn detect_us(run: &ModelRun) -> Result<f64, Problem> {
    if run.takeover.event.fault_ns == 0 {
        return Err(Problem::Failed(
            "the takeover does not know when the fault was".into(),
        ));
    }
    run.takeover
        .detect_us()
        .ok_or_else(|| Problem::Failed("the takeover has no beginning".into()))
}

fn worst(
    runs: &[ModelRun],
    figure: impl Fn(&ModelRun) -> Result<f64, Problem>,
) -> Result<f64, Problem> {
    let values = runs
        .iter()
        .map(figure)
        .collect::<Result<Vec<f64>, Problem>>()?;
    values
        .into_iter()
        .max_by(f64::total_cmp)
        .ok_or_else(|| Problem::Failed("nothing was measured".into()))
}

/// Returns the target for a silent hang: the time-out and one keepalive, whatever their defaults are.
fn hang_limit_us(spec: &MachineSpec) -> Result<f64, Problem> {
    let options = Options::parse(&spec.boot_line())
        .map_err(|refusal| Problem::of_host("boot line", refusal))?;
    Ok((options.failover_timeout_ns + options.keepalive_ns) as f64 / 1000.0)
}

impl BenchReport {
    /// Formats the report for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}; the worst of {} runs\n",
            Accel::Model.label(),
            self.runs
        );
        for figure in &self.figures {
            let value = format!("{:.1} {}", figure.value, figure.unit);
            let word = if figure.is_met() { "met" } else { "NOT MET" };
            let _ = writeln!(
                text,
                "{:<50}{value:>24}   target: at most {}, {word}",
                figure.text, figure.at_most
            );
        }
        text
    }

    /// Formats the report for tools.
    pub fn json(&self) -> Value {
        let mut object = json!({ "n": self.runs, "accel": Accel::Model.to_string() });
        for figure in &self.figures {
            object[figure.key] = json!((figure.value * 1000.0).round() / 1000.0);
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(key: &'static str, value: f64) -> Figure {
        Figure {
            key,
            text: "a figure",
            value,
            unit: "us",
            at_most: 20.0,
        }
    }

    #[test]
    fn a_target_is_met_or_not() {
        let report = BenchReport {
            figures: vec![figure("a_us", 20.0), figure("b_us", 20.0004)],
            runs: 3,
        };
        let text = report.text();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].contains("not hardware latency") && rows[0].ends_with("3 runs"));
        assert!(
            rows[1].ends_with("target: at most 20, met")
                && rows[2].ends_with("target: at most 20, NOT MET"),
            "{text}"
        );
        assert_eq!(
            report.json(),
            json!({ "n": 3, "accel": "model", "a_us": 20.0, "b_us": 20.0 })
        );
    }

    #[test]
    fn a_hang_may_take_the_time_out_and_one_keepalive() {
        let spec =
            MachineSpec::new("x", Accel::Model).append("failover_timeout=20ms keepalive=2ms");
        assert_eq!(hang_limit_us(&spec).unwrap(), 22_000.0);
    }
}
