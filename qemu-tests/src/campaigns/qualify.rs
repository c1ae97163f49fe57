//! The qualification disc: how it is made, and how it is tried on emulated machines.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use qualify::{Report, Verdict, block};
use serde_json::{Value, json};
use sharedmem::event::Qualified;

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
const LIMIT_FIRST: Duration = Duration::from_secs(900);
/// One takeover on a busy host.
const LIMIT_EACH: Duration = Duration::from_secs(10);

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

/// Makes a disc for an emulated machine, boots it, and returns the machine's report.
///
/// # Errors
/// Something is missing, or no whole report comes.
pub fn try_out(images: &Images, machine: TrialMachine, takeovers: u32) -> Result<Report, Problem> {
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
    let launch = Launch::of(images, &log, LIMIT_FIRST + LIMIT_EACH * takeovers);
    let report = match machine {
        TrialMachine::Bochs => {
            bochs::check(&LocalSystem)
                .map_err(|problem| Problem::Skipped(problem.text().into()))?;
            let machine = BochsMachine::start(&iso, &scratch, &launch)?;
            wait_for_report(machine.console(), machine.time_left())
        }
        TrialMachine::Bios | TrialMachine::Pc | TrialMachine::Uefi => {
            let firmware = machine.firmware().unwrap_or(Firmware::Bios);
            let mut spec = MachineSpec::new(&name, Accel::Tcg);
            if machine == TrialMachine::Pc {
                spec.chipset = Chipset::Pc;
            }
            let machine = QemuMachine::start_disc(&spec, &Disc { iso, firmware }, &launch)?;
            wait_for_report(machine.console(), machine.time_left())
        }
    };
    report.map_err(|problem| problem.while_doing(&format!("{machine} (log: {})", log.display())))
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
pub fn json(trials: &[(TrialMachine, Report)]) -> Value {
    let rows = trials.iter().map(|(machine, report)| {
        json!({
            "machine": machine.to_string(),
            "takeovers": report.takeovers,
            "lost": lost(report),
            "init_to_checkin_us_p99": report.startup_us.p99,
            "detected_to_serving_us_p50": report.serving_us.p50,
        })
    });
    let is_passed = trials
        .iter()
        .all(|(_, report)| report.verdict() == Verdict::Pass);
    json!({
        "verdict": if is_passed && !trials.is_empty() { "pass" } else { "fail" },
        "machines": rows.collect::<Vec<_>>(),
    })
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
        "dma_denial_ns": report.dma_denial_ns,
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

    fn report(takeovers: u32, wrong: u64) -> Report {
        Report {
            takeovers_wanted: 50,
            takeovers,
            wrong,
            ..Report::default()
        }
    }

    #[test]
    fn the_json_passes_only_if_every_machine_does() {
        let good = (TrialMachine::Bios, report(50, 0));
        let object = json(std::slice::from_ref(&good));
        assert_eq!(object["verdict"], json!("pass"));
        assert_eq!(object["machines"][0]["machine"], json!("bios"));
        assert_eq!(object["machines"][0]["lost"], json!(0));
        for bad in [report(49, 0), report(50, 1)] {
            let object = json(&[good.clone(), (TrialMachine::Bochs, bad)]);
            assert_eq!(object["verdict"], json!("fail"));
            assert_eq!(object["machines"][1]["lost"], json!(1));
        }
        assert_eq!(json(&[])["verdict"], json!("fail"));
    }

    #[test]
    fn the_boot_line_parses() {
        for timeout in [None, Some("250ms")] {
            let options = partition::Options::parse(&boot_line(7, timeout)).unwrap();
            assert_eq!(options.qualify_takeovers, 7);
        }
    }
}
