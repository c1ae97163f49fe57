//! The demonstration: a client writes, the kernel under its server dies, and every acknowledged write is there.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sharedmem::cause::Cause;
use sharedmem::event::Protected;
use sharedmem::timeline::Phase;

use harness::client::{self, IMPATIENT, PATIENT};
use harness::emulator;
use harness::images::Images;
use harness::ledger::KeyAudit;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::problem::Problem;
use harness::setup::HostTools;
use harness::timeline_report::TimelineReport;
use harness::writer::KeyWriter;
use harness::{disk, paths};

/// A machine that has not shown everything after this time is given up.
const MACHINE_LIMIT: Duration = Duration::from_secs(50);

/// Writes to be acknowledged before the fault, and after it.
const WRITES_BEFORE: u64 = 2000;
const WRITES_AFTER: u64 = 2000;

/// The deaths: name, command, and what is printed about them.
const DEATHS: [(&str, &str, &str); 2] = [
    ("panic", "DEBUG PANIC", "the primary kernel panics"),
    (
        "hang",
        "DEBUG HANG all",
        "every core of the primary hangs silently, interrupts off",
    ),
];

/// One death, and what became of the client.
#[derive(Clone, Debug)]
pub struct DemoRun {
    takeover: TimelineReport,
    audit: KeyAudit,
    client_gap: Option<Duration>,
}

/// The whole demonstration.
#[derive(Clone, Debug)]
pub struct NativeDemo {
    runs: Vec<DemoRun>,
    accel: Accel,
    qemu: String,
}

/// Runs the demonstration, and prints its progress.
///
/// # Errors
/// A machine does not do what it should. A lost write is no error but part of the verdict.
pub fn run(images: &Images, accel: Accel, tools: HostTools) -> Result<NativeDemo, Problem> {
    let mut runs = Vec::new();
    for (name, command, story) in DEATHS {
        let attempt = || run_death(images, accel, name, command, story);
        let log = paths::log(&machine_name(name));
        runs.push(
            emulator::once_more(name, &log, attempt)
                .map_err(|problem| problem.while_doing(story))?,
        );
    }
    Ok(NativeDemo {
        runs,
        accel,
        qemu: tools.qemu.to_string(),
    })
}

/// Returns the name of the machine and of the log.
fn machine_name(name: &str) -> String {
    format!("demo-{name}")
}

fn run_death(
    images: &Images,
    accel: Accel,
    name: &str,
    command: &str,
    story: &str,
) -> Result<DemoRun, Problem> {
    let spec = MachineSpec::new(machine_name(name), accel).append("debug=1");
    let log = paths::fresh_log(&spec.name)?;
    println!(
        "\n{name}: booting {} CPUs, {} (console: {})",
        spec.cpus,
        spec.memory,
        log.display()
    );
    let machine = QemuMachine::start(&spec, &Launch::of(images, &log, MACHINE_LIMIT))?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    let port = machine.port()?;

    println!("{name}: a client writes numbered keys");
    let writer = KeyWriter::start(port, name, IMPATIENT);
    writer.wait_more(WRITES_BEFORE, machine.time_left())?;
    println!("{name}: {command}: {story}");
    let fault = Instant::now();
    client::inject(port, command)?;
    let takeover = machine.wait_first_reply(2)?;
    println!("{name}: the backup serves; the client writes on");
    writer.wait_more(WRITES_AFTER, machine.time_left())?;

    let ledger = writer.finish()?;
    let mut store = client::connect(port, PATIENT)
        .map_err(|error| Problem::Failed(format!("taking stock: {error}")))?;
    let audit = ledger
        .audit(&mut store)
        .map_err(|error| Problem::Failed(format!("taking stock: {error}")))?;
    println!("{name}: {audit}");
    machine.closing_word()?;
    machine.end();
    for line in disk::lines(machine.disk())? {
        println!("{name}: on the incident disk: {line}");
    }
    Ok(DemoRun {
        takeover,
        audit,
        client_gap: ledger.longest_gap(fault),
    })
}

impl NativeDemo {
    /// Says whether everything that was promised held.
    pub fn is_passed(&self) -> bool {
        let expected_causes =
            self.runs
                .iter()
                .map(|run| run.takeover.event.cause)
                .eq([Cause::Panic, Cause::Silent].map(Some));
        expected_causes
            && self
                .runs
                .iter()
                .all(|run| run.audit.is_clean() && run.client_gap.is_some())
    }

    fn audit(&self) -> KeyAudit {
        self.runs
            .iter()
            .fold(KeyAudit::default(), |sum, run| sum.and(run.audit.clone()))
    }

    fn client_gap_ms(&self) -> Option<f64> {
        let worst = self
            .runs
            .iter()
            .map(|run| run.client_gap)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()?;
        Some(worst.as_micros() as f64 / 1000.0)
    }

    /// Formats the timelines, side by side.
    pub fn table(&self) -> String {
        let mut table = format!("{:<46}", "phase");
        for run in &self.runs {
            let _ = write!(table, "{:>16}", run.takeover.cause_name());
        }
        table.push('\n');
        for phase in Phase::ALL {
            let name = phase.name().replace('-', "_");
            let _ = write!(table, "{:<46}", format!("{name:<12}{}", explained(phase)));
            for run in &self.runs {
                let duration = run.takeover.phases()[phase as usize].1;
                let duration = duration.map_or("-".into(), |us| format!("{us:.1} us"));
                let _ = write!(table, "{duration:>16}");
            }
            table.push('\n');
        }
        table
    }

    /// Formats the verdict.
    pub fn verdict(&self) -> String {
        let audit = self.audit();
        let word = if self.is_passed() { "PASS" } else { "FAIL" };
        let gap = self
            .client_gap_ms()
            .map_or("not measured".into(), |ms| format!("{ms:.1} ms"));
        format!(
            "{word}: {} takeovers, {audit}; longest silence for the client {gap} ({})",
            self.runs.len(),
            self.accel.label()
        )
    }

    /// Formats the demonstration for tools.
    pub fn json(&self) -> Value {
        let audit = self.audit();
        json!({
            "verdict": if self.is_passed() { "pass" } else { "fail" },
            "acked_writes": audit.acked_writes,
            "lost_writes": audit.lost_writes,
            "invented_writes": audit.invented_writes,
            "client_gap_ms": self.client_gap_ms(),
            "takeovers": self.runs.iter().map(|run| run.takeover.json()).collect::<Vec<_>>(),
            "accel": self.accel.to_string(),
            "qemu": self.qemu,
        })
    }
}

/// Formats the JSON of a demonstration that failed half-way.
pub fn failure_json(problem: &Problem, accel: Accel, tools: HostTools) -> Value {
    json!({
        "verdict": "fail",
        "reason": problem.to_string(),
        "acked_writes": null,
        "lost_writes": null,
        "client_gap_ms": null,
        "takeovers": [],
        "accel": accel.to_string(),
        "qemu": tools.qemu.to_string(),
    })
}

/// Returns what a phase is, in a few words. Here the fault is known, so the first phase and the total begin with it.
fn explained(phase: Phase) -> &'static str {
    match phase {
        Phase::Detect => "fault -> declared dead",
        Phase::Fence => "every core stopped, with proof",
        Phase::Interrupts => "interrupts seized",
        Phase::Devices => "devices quiet, adopted",
        Phase::Replay => "journal's tail replayed",
        Phase::FirstReply => "first reply to a client",
        Phase::Total => "fault -> first reply",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::timeline_report::samples;

    fn demo() -> NativeDemo {
        let run = |cause, gap_ms: u64| DemoRun {
            takeover: samples::takeover(cause),
            audit: KeyAudit {
                acked_writes: 4000,
                ..KeyAudit::default()
            },
            client_gap: Some(Duration::from_micros(gap_ms * 1000 + 500)),
        };
        NativeDemo {
            runs: vec![run(Cause::Panic, 20), run(Cause::Silent, 290)],
            accel: Accel::Tcg,
            qemu: "10.0".into(),
        }
    }

    #[test]
    fn the_json_has_what_is_promised() {
        let object = demo().json();
        assert_eq!(object["verdict"], json!("pass"));
        assert_eq!(
            (&object["acked_writes"], &object["lost_writes"]),
            (&json!(8000), &json!(0))
        );
        assert_eq!(
            (&object["client_gap_ms"], &object["accel"], &object["qemu"]),
            (&json!(290.5), &json!("tcg"), &json!("10.0"))
        );
        assert_eq!(object["takeovers"].as_array().unwrap().len(), 2);
        for key in [
            "cause",
            "detect_us",
            "fence_us",
            "interrupts_us",
            "devices_us",
            "replay_us",
            "first_reply_us",
            "total_us",
        ] {
            assert!(!object["takeovers"][1][key].is_null(), "{key}");
        }
    }

    #[test]
    fn a_broken_promise_fails() {
        let mut lost = demo();
        lost.runs[1].audit.lost_writes = 1;
        let mut invented = demo();
        invented.runs[0].audit.invented_writes = 1;
        let mut without_client = demo();
        without_client.runs[0].client_gap = None;
        let mut other_death = demo();
        other_death.runs[1].takeover.event.cause = Some(Cause::Panic);
        for bad in [lost, invented, without_client, other_death] {
            assert!(
                !bad.is_passed()
                    && bad.json()["verdict"] == json!("fail")
                    && bad.verdict().starts_with("FAIL")
            );
        }
    }

    #[test]
    fn the_table_has_a_column_for_each_death() {
        let table = demo().table();
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 8);
        assert!(rows[0].ends_with("panic          silent"), "{table}");
        assert!(
            rows[7].starts_with("total") && rows[7].ends_with("1100.5 us       1100.5 us"),
            "{table}"
        );
    }
}
