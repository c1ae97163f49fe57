//! A machine with clients at work, to be struck: what is observed from the strike to the check after a forced death.

use std::thread;
use std::time::{Duration, Instant};

use sharedmem::cause::BackupLoss;
use sharedmem::event::{
    BackupLost, Dead, MonitorPanicked, MonitorSilent, Protected, ResetSurvived, StateFaulty,
    StateLost, Takeover, TakeoverBegan,
};

use crate::observed::Observed;
use harness::client::{self, IMPATIENT, PATIENT};
use harness::fleet::{Fleet, FleetReport};
use harness::images::Images;
use harness::ledger::KeyLedger;
use harness::machine::{Accel, Launch, MachineSpec, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require};
use harness::steady::Workload;
use harness::writer::KeyWriter;

/// What the boot line says beyond the usual.
const OPTIONS: &str = "failover_rearm=auto debug=1";
/// The seat's CPU, and two of the primary.
const CPUS: u32 = 3;
/// The first of the primary's.
const LEAD: usize = 1;
/// Keys that are there from the beginning.
const KEYS: u64 = 1_000;
/// Clients that reconnect, and ones that do not.
const WRITERS: usize = 2;
const STEADY: [Workload; 3] = [Workload::Chat, Workload::Checksum, Workload::Pipeline];
/// Writes of each writer that prove that somebody serves.
const PROGRESS: u64 = 20;
/// After this time without progress nobody serves any more.
const HUNG_AFTER: Duration = Duration::from_secs(12);
/// A machine that has a way to protect itself again has done so by then.
const PROTECTED_AFTER: Duration = Duration::from_secs(12);
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Time for one fault.
const LIMIT: Duration = Duration::from_secs(180);

/// The key that a fault may damage on purpose.
pub const PROBE_KEY: &str = "probe";

/// Returns the value under [`PROBE_KEY`]: nothing else in the machine looks like it.
pub fn probe_value() -> String {
    let words = (0..64u64).map(|number| number.wrapping_mul(0xd6e8_feb8_6659_fd93));
    words.map(|word| format!("{word:016x}")).collect()
}

/// A machine that serves and is protected, and its clients.
pub struct Scene {
    /// The machine.
    pub machine: QemuMachine,
    fleet: Fleet,
    writers: Vec<KeyWriter>,
    /// The page table of the first primary.
    page_table: u64,
}

impl Scene {
    /// Boots the machine `name`, and lets clients work.
    ///
    /// # Errors
    /// The machine does not come up, or a client is not served.
    pub fn start(name: &str, images: &Images) -> Result<Self, Problem> {
        let mut spec = MachineSpec::new(name, Accel::Tcg).append(OPTIONS);
        (spec.cpus, spec.may_reset) = (CPUS, true);
        let log = paths::fresh_log(&spec.name)?;
        let machine = QemuMachine::start(&spec, &Launch::of(images, &log, LIMIT))?;
        machine.wait_serving(1)?;
        machine.wait_event::<Protected>()?;
        let port = machine.port()?;
        client::ask::<String>(port, &format!("SET {PROBE_KEY} {}", probe_value()))?;
        let fleet = Fleet::of(&machine, KEYS, &STEADY)?;
        let writers: Vec<KeyWriter> = (0..WRITERS)
            .map(|number| KeyWriter::start(port, format!("writer-{number}"), IMPATIENT))
            .collect();
        KeyWriter::all_wait_more(&writers, PROGRESS, HUNG_AFTER)?;
        let page_table = machine.control()?.page_tables()?.get(LEAD).copied();
        let was_taken_over = !machine.console().events::<TakeoverBegan>().is_empty();
        require(!was_taken_over, || {
            "the host is too busy: the backup took over before anything was struck".into()
        })?;
        Ok(Self {
            page_table: page_table.unwrap_or_default(),
            machine,
            fleet,
            writers,
        })
    }

    /// Watches the machine for `duration` after the strike, forces a death, watches again, and checks everything.
    ///
    /// # Errors
    /// What is left cannot be checked.
    pub fn observe(self, duration: Duration) -> Result<Observed, Problem> {
        let (machine, writers, page_table) = (&self.machine, self.writers, self.page_table);
        let mut observed = Observed {
            detected_after: first_death(machine, duration),
            ..Observed::default()
        };
        observed.is_hung = !serves(&writers);
        observed.takeovers = machine.console().events::<Takeover>().len();
        if !observed.is_hung {
            wait_protected(machine, PROTECTED_AFTER)?;
            // Those that come later were forced, or are counted as what the forced death led to.
            observed.takeovers = machine.console().events::<Takeover>().len();
            observed.resets = machine.console().events::<ResetSurvived>().len();
            observed.is_probe_wrong = is_probe_wrong(machine)?;
            let took_over = machine.console().events::<TakeoverBegan>();
            observed.cause = took_over.first().map(|it| it.cause);
            if observed.takeovers == 1 && observed.resets == 0 {
                observed.cpus_left_behind = left_behind(machine, page_table)?;
            }
            client::inject(machine.port()?, "DEBUG PANIC")?;
            thread::sleep(duration);
            observed.is_hung = !serves(&writers);
            observed.is_dead_at_last = observed.is_hung;
            observed.is_protected = wait_protected(machine, PROTECTED_AFTER)?;
        }
        let ledgers: Vec<KeyLedger> = writers
            .into_iter()
            .map(KeyWriter::finish)
            .collect::<Result<_, _>>()?;
        let console = machine.console();
        observed.resets = observed.resets.max(console.events::<ResetSurvived>().len());
        observed.alarms = console.events::<MonitorPanicked>().len();
        observed.alarms += console.events::<MonitorSilent>().len();
        observed.alarms += console.events::<StateFaulty>().len();
        let losses = console.events::<BackupLost>().into_iter();
        observed.losses = losses
            .filter(|lost| lost.loss != BackupLoss::Promoted)
            .count();
        observed.lost_states = console.events::<StateLost>().len();
        observed.lost = observed.lost_states as u64;
        if observed.is_hung {
            // Nobody can be asked what is left. The clients wait for nothing more.
            machine.end();
            return Ok(observed);
        }
        let report = self.fleet.report()?;
        observed.longest_silence = report.longest_silence;
        observed.lost += lost_by_clients(&report);
        for ledger in &ledgers {
            observed.lost += lost_by_ledger(machine, ledger)?;
        }
        observed.is_probe_wrong |= is_probe_wrong(machine)?;
        Ok(observed)
    }
}

/// Counts the CPUs that still have the page table of the first primary. The seat may have it: it loads the next backup
/// there.
fn left_behind(machine: &QemuMachine, page_table: u64) -> Result<usize, Problem> {
    let tables = machine.control()?.page_tables()?;
    let others = tables.iter().skip(LEAD);
    Ok(others.filter(|table| **table == page_table).count())
}

/// Waits for `duration`, and returns when in it the first death was detected.
fn first_death(machine: &QemuMachine, duration: Duration) -> Option<Duration> {
    let began = Instant::now();
    let deadline = began + duration;
    let mut detected_after = None;
    while Instant::now() < deadline {
        let console = machine.console();
        let is_detected = || {
            !console.events::<TakeoverBegan>().is_empty() || !console.events::<Dead>().is_empty()
        };
        if detected_after.is_none() && is_detected() {
            detected_after = Some(began.elapsed());
        }
        thread::sleep(POLL_INTERVAL);
    }
    detected_after
}

fn is_probe_wrong(machine: &QemuMachine) -> Result<bool, Problem> {
    let probe: Option<String> = client::ask(machine.port()?, &format!("GET {PROBE_KEY}"))?;
    Ok(probe != Some(probe_value()))
}

fn serves(writers: &[KeyWriter]) -> bool {
    KeyWriter::all_wait_more(writers, PROGRESS, HUNG_AFTER).is_ok()
}

/// Waits until the machine says that it is protected. Returns false if it does not say so within `limit`.
fn wait_protected(machine: &QemuMachine, limit: Duration) -> Result<bool, Problem> {
    let (port, deadline) = (machine.port()?, Instant::now() + limit);
    while Instant::now() < deadline {
        let info = client::connect(port, IMPATIENT)
            .and_then(|mut connection| client::run::<String>(&mut connection, "INFO replication"));
        if info.is_ok_and(|info| info.contains("protected:1\r")) {
            return Ok(true);
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(false)
}

fn lost_by_clients(report: &FleetReport) -> u64 {
    let troubles = report.troubles.iter();
    troubles.for_each(|trouble| println!("    {trouble}"));
    report.lost + report.reset + report.differ
}

fn lost_by_ledger(machine: &QemuMachine, ledger: &KeyLedger) -> Result<u64, Problem> {
    let unreadable = |error| Problem::Failed(format!("taking stock: {error}"));
    let mut store = client::connect(machine.port()?, PATIENT).map_err(unreadable)?;
    let audit = ledger.audit(&mut store).map_err(unreadable)?;
    if !audit.is_clean() {
        println!("    {audit}");
    }
    Ok(audit.lost_writes + audit.invented_writes)
}
