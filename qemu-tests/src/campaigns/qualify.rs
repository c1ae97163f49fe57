//! The qualification disc: how it is made, and how it is tried on emulated machines.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use qualify::{Report, Verdict, block};
use serde_json::{Value, json};
use sharedmem::event::{Qualified, Takeover};

use harness::bochs::{self, BochsMachine};
use harness::images::{BACKUP_PATH, Images, PRIMARY_PATH};
use harness::machine::{Accel, Chipset, Disc, Firmware, Launch, MachineSpec, QemuMachine};
use harness::problem::Problem;
use harness::setup::LocalSystem;
use harness::transcript::Transcript;
use harness::{files, paths};
use linux_kit::iso::{self, Iso};

/// Takeovers of a disc for a real machine, unless the user wants another number.
pub const TAKEOVERS: u32 = 1000;

/// Firmware, GRUB and the measurements before the first takeover.
const LIMIT_FIRST: Duration = Duration::from_secs(300);
/// One takeover on a busy host.
const LIMIT_EACH: Duration = Duration::from_secs(5);
/// A machine that prints nothing for so long prints nothing more. Its monitor gives a takeover up after a minute.
const LIMIT_SILENT: Duration = Duration::from_secs(120);

/// A machine on which a disc is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrialMachine {
    /// QEMU's q35 with SeaBIOS.
    Bios,
    /// QEMU's pc with SeaBIOS.
    Pc,
    /// QEMU's q35 with OVMF.
    Uefi,
    /// Bochs.
    Bochs,
}

impl fmt::Display for TrialMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bios => "bios",
            Self::Pc => "pc",
            Self::Uefi => "uefi",
            Self::Bochs => "bochs",
        })
    }
}

impl TrialMachine {
    /// Returns its firmware, if it is the usual machine.
    pub const fn firmware(self) -> Option<Firmware> {
        match self {
            Self::Bios => Some(Firmware::Bios),
            Self::Uefi => Some(Firmware::Uefi),
            Self::Pc | Self::Bochs => None,
        }
    }

    /// Returns how long it may take to the report.
    pub fn limit(takeovers: u32) -> Duration {
        LIMIT_FIRST + LIMIT_EACH * takeovers
    }

    /// Returns the boot line's time-out: longer than the emulator's host may stop a core. Bochs counts instructions,
    /// and runs one core after the other, a few dozen instructions each.
    const fn timeout(self) -> &'static str {
        match self {
            Self::Bios | Self::Pc | Self::Uefi => "250ms",
            Self::Bochs => "50ms",
        }
    }
}

/// Returns the boot line of a disc. Without `timeout` it is the one that the machine is to be used with.
pub fn boot_line(takeovers: u32, timeout: Option<&str>) -> String {
    let timeout = timeout.map_or_else(String::new, |it| format!(" failover_timeout={it}"));
    format!(
        "primary_kernel={PRIMARY_PATH} failover_kernel={BACKUP_PATH} failover_rearm=auto qualify={takeovers}{timeout}"
    )
}

/// Makes a disc with a boot line.
///
/// # Errors
/// Something is missing, or a file cannot be written.
pub fn make(images: &Images, boot_line: &str, name: &str, out: &Path) -> Result<(), Problem> {
    iso::check(&LocalSystem)?;
    Iso::new(files::read(&images.kernel)?, boot_line)
        .files_of(&files::read(&images.archive)?)?
        .write(name, out)
}

/// What came of a disc on one machine.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The machine.
    pub machine: TrialMachine,
    /// How many takeovers were asked for.
    pub wanted: u32,
    /// Its report, or why there is none.
    pub outcome: Result<Report, NoReport>,
}

/// A machine that sent no report.
#[derive(Clone, Debug)]
pub struct NoReport {
    /// Takeovers that it had printed by then.
    pub takeovers: u32,
    /// Why there is no report.
    pub problem: Problem,
}

impl From<Problem> for NoReport {
    fn from(problem: Problem) -> Self {
        Self {
            takeovers: 0,
            problem,
        }
    }
}

impl Trial {
    /// Makes a disc for an emulated machine, boots it, and waits for its report.
    pub fn of(images: &Images, machine: TrialMachine, wanted: u32) -> Self {
        Self {
            machine,
            wanted,
            outcome: try_out(images, machine, wanted),
        }
    }

    /// Returns whether its report says so.
    pub fn has_passed(&self) -> bool {
        let report = self.outcome.as_ref();
        report.is_ok_and(|report| report.verdict() == Verdict::Pass)
    }

    fn json(&self) -> Value {
        let machine = self.machine.to_string();
        match &self.outcome {
            Ok(report) => json!({
                "machine": machine,
                "takeovers": report.takeovers,
                "lost": lost(report),
                "init_to_checkin_us_p99": report.startup_us.p99,
                "detected_to_serving_us_p50": report.serving_us.p50,
            }),
            Err(NoReport { takeovers, problem }) => json!({
                "machine": machine,
                "takeovers": takeovers,
                "lost": self.wanted.saturating_sub(*takeovers),
                "init_to_checkin_us_p99": null,
                "detected_to_serving_us_p50": null,
                "problem": problem.to_string(),
            }),
        }
    }
}

fn try_out(images: &Images, machine: TrialMachine, takeovers: u32) -> Result<Report, NoReport> {
    let name = format!("qualify-{machine}");
    let scratch = paths::scratch(&name);
    let iso = scratch.join("understudy.iso");
    make(
        images,
        &boot_line(takeovers, Some(machine.timeout())),
        &name,
        &iso,
    )?;
    let log = paths::fresh_log(&name)?;
    let launch = Launch::of(images, &log, TrialMachine::limit(takeovers));
    let report = match machine {
        TrialMachine::Bochs => {
            bochs::check(&LocalSystem)?;
            let machine = BochsMachine::start(&iso, &scratch, &launch)?;
            follow_to_report(machine.console(), machine.time_left())
        }
        TrialMachine::Bios | TrialMachine::Pc | TrialMachine::Uefi => {
            let firmware = machine.firmware().unwrap_or(Firmware::Bios);
            let mut spec = MachineSpec::new(&name, Accel::Tcg);
            if machine == TrialMachine::Pc {
                spec.chipset = Chipset::Pc;
            }
            let machine = QemuMachine::start_disc(&spec, &Disc { iso, firmware }, &launch)?;
            follow_to_report(machine.console(), machine.time_left())
        }
    };
    report.map_err(|mut missing| {
        let doing = format!("{machine} (log: {})", log.display());
        missing.problem = missing.problem.while_doing(&doing);
        missing
    })
}

/// Waits for a machine's report for as long as the machine prints something.
fn follow_to_report(console: &Transcript, limit: Duration) -> Result<Report, NoReport> {
    let deadline = Instant::now() + limit;
    let mut seen = 0;
    let problem = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let step = left.min(LIMIT_SILENT);
        let problem = match wait_for_report(console, step) {
            Ok(report) => return Ok(report),
            Err(problem) => problem,
        };
        let lines = console.lines().len();
        if console.ended().is_some() || step == left || !matches!(problem, Problem::TimedOut(_)) {
            break problem;
        }
        if lines == seen {
            break Problem::TimedOut(format!("it prints nothing for {LIMIT_SILENT:?}"));
        }
        seen = lines;
    };
    let takeovers = console.events::<Takeover>().len() as u32;
    Err(NoReport { takeovers, problem })
}

/// Waits until a machine is qualified, and reads its report.
///
/// # Errors
/// It takes too long, or the report is damaged.
pub fn wait_for_report(console: &Transcript, limit: Duration) -> Result<Report, Problem> {
    console.wait_for_event::<Qualified>(limit, |_| true)?;
    read(&console.lines().join("\n"))
}

/// Reads the report in a text, such as a serial log.
///
/// # Errors
/// There is none, or it is damaged.
pub fn read(text: &str) -> Result<Report, Problem> {
    block::read(text).map_err(|error| Problem::Failed(format!("the machine's report: {error}")))
}

/// Returns the JSON of all trials.
pub fn json(trials: &[Trial]) -> Value {
    let has_passed = !trials.is_empty() && trials.iter().all(Trial::has_passed);
    json!({
        "verdict": if has_passed { "pass" } else { "fail" },
        "machines": trials.iter().map(Trial::json).collect::<Vec<_>>(),
    })
}

/// Returns the JSON of trials that could not begin.
pub fn json_without_trials(problem: &str) -> Value {
    json!({ "verdict": "fail", "machines": [], "problem": problem })
}

/// Returns the JSON of one report, with all that is in it.
pub fn report_json(report: &Report) -> Value {
    let summary = |it: &qualify::Summary| json!({ "count": it.count, "p50": it.p50, "p99": it.p99, "max": it.max });
    let causes = qualify::Death::ALL.into_iter().zip(&report.causes);
    let causes = causes.map(|(death, it)| {
        json!({
            "death": death.name(),
            "death_to_detected_us": summary(&it.detect_us),
            "death_to_serving_us": summary(&it.gap_us),
        })
    });
    json!({
        "verdict": if report.verdict() == Verdict::Pass { "pass" } else { "fail" },
        "version": report.version,
        "processor": report.processor,
        "cpus": report.cpus,
        "x2apic": report.is_x2apic,
        "tsc_hz": report.tsc_hz,
        "tsc_invariant": report.is_tsc_invariant,
        "functions": report.functions,
        "iommus": report.iommus,
        "init_to_checkin_us": summary(&report.startup_us),
        "slowest_core": report.slowest_core,
        "absent_cores": report.absent,
        "interrupt_ns": summary(&report.interrupt_ns),
        "tsc_offset_ns_max": report.tsc_offset_ns_max,
        "tsc_error_ns": report.tsc_error_ns,
        "pauses": {
            "watched_ms": report.pauses.watched_ms,
            "longest_ns": report.pauses.longest_ns,
            "above_10us": report.pauses.above_10us,
            "above_100us": report.pauses.above_100us,
            "above_1ms": report.pauses.above_1ms,
        },
        "iommu_used": report.is_iommu_used,
        "dma_denial_ns": summary(&report.dma_denial_ns),
        "takeovers_wanted": report.takeovers_wanted,
        "takeovers": report.takeovers,
        "wrong_replies": report.wrong,
        "resets": report.resets,
        "detected_to_fenced_us": summary(&report.fence_us),
        "detected_to_serving_us": summary(&report.serving_us),
        "causes": causes.collect::<Vec<_>>(),
    })
}

/// Returns how many takeovers did not take place, and how many replies were wrong, together.
fn lost(report: &Report) -> u64 {
    let missing = report.takeovers_wanted.saturating_sub(report.takeovers);
    u64::from(missing) + report.wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::transcript::Stream;

    fn trial(machine: TrialMachine, takeovers: u32, wrong: u64) -> Trial {
        let report = Report {
            takeovers_wanted: 50,
            takeovers,
            wrong,
            ..Report::default()
        };
        Trial {
            machine,
            wanted: 50,
            outcome: Ok(report),
        }
    }

    #[test]
    fn the_json_passes_only_if_every_machine_does() {
        let good = trial(TrialMachine::Bios, 50, 0);
        let object = json(std::slice::from_ref(&good));
        assert_eq!(object["verdict"], json!("pass"));
        assert_eq!(object["machines"][0]["machine"], json!("bios"));
        assert_eq!(object["machines"][0]["lost"], json!(0));
        for (takeovers, wrong) in [(49, 0), (50, 1)] {
            let object = json(&[good.clone(), trial(TrialMachine::Bochs, takeovers, wrong)]);
            assert_eq!(object["verdict"], json!("fail"));
            assert_eq!(object["machines"][1]["lost"], json!(1));
        }
        assert_eq!(json(&[])["verdict"], json!("fail"));
    }

    #[test]
    fn a_machine_without_a_report_is_named() {
        let problem = Problem::TimedOut("it prints nothing".into());
        let outcome = Err(NoReport {
            takeovers: 30,
            problem,
        });
        let silent = Trial {
            machine: TrialMachine::Bochs,
            wanted: 50,
            outcome,
        };
        let object = json(&[trial(TrialMachine::Bios, 50, 0), silent]);
        assert_eq!(object["verdict"], json!("fail"));
        let row = &object["machines"][1];
        assert_eq!(row["machine"], json!("bochs"));
        assert_eq!((&row["takeovers"], &row["lost"]), (&json!(30), &json!(20)));
        assert_eq!(row["problem"], json!("TIME-OUT: it prints nothing"));
    }

    #[test]
    fn a_machine_that_ends_early_is_told_with_what_it_had_done() {
        let console = Transcript::default();
        let takeover = "[    8.843565] a: event=takeover epoch=29 cause=silent fence_rounds=1 cores_left=0 records=0 \
                        findings=0 fault_ns=8790742808 last_keepalive_ns=8790614505 detected_ns=8840623474 \
                        fenced_ns=8840879181 interrupts_seized_ns=8841098286 devices_quiet_ns=8841105487 \
                        devices_adopted_ns=8841397494 replayed_ns=8841404894 serving_ns=8841503797 ;\n";
        let reader = console.follow(
            std::io::Cursor::new(takeover.repeat(3)),
            Stream::Console,
            false,
        );
        reader.join().unwrap();
        let missing = follow_to_report(&console, Duration::from_secs(60)).unwrap_err();
        assert_eq!(missing.takeovers, 3);
    }

    #[test]
    fn the_boot_line_parses() {
        for timeout in [None, Some("250ms")] {
            let options = partition::Options::parse(&boot_line(7, timeout)).unwrap();
            assert_eq!(options.qualify_takeovers, 7);
        }
    }
}
