//! Machines without the timers and controllers of old: they boot, know how fast their clock runs, and take over.

use sharedmem::cause::Cause;
use sharedmem::event::{Clock, Refused};

use super::survival::{WRITES, die_and_check};
use crate::suite::{Test, TestContext, Verdict, audit};
use harness::client::{self, IMPATIENT};
use harness::files;
use harness::machine::{ClosingWord, Disc, Firmware, Launch, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use harness::setup::LocalSystem;
use harness::writer::KeyWriter;
use linux_kit::iso::{self, Iso};

/// The greatest error of a clock on a host that others use, too, in ppm.
const ERROR_PPM_MAX: u64 = 50_000;

pub(super) fn tests() -> Vec<Test> {
    let pm_timer = Test::new(
        "clock-pm-timer",
        "the usual machine knows its clock by the power-management timer, with a stated error",
        "debug=1",
        |context| with_clock(context.boot()?, "pm-timer"),
    );
    let mut hpet = Test::new(
        "clock-hpet",
        "a machine without a power-management timer knows its clock by the HPET, and survives a panic",
        "debug=1",
        |context| with_clock(boot_without(context, &["FACP"])?, "hpet"),
    );
    let mut none = Test::new(
        "clock-none",
        "a machine whose clock nothing tells is refused, and the reason names what there could be",
        "",
        |context| {
            let machine = boot_without(context, &["FACP", "HPET"])?;
            machine.wait_event::<Refused>()?;
            let lines = machine.console().lines();
            let is_told = lines.iter().any(|line| line.contains("nor the HPET runs"));
            require(is_told, || "the reason is not told".into())?;
            machine.closing_event::<Refused>()
        },
    );
    // The firmware and GRUB take their time first.
    hpet.limit *= 2;
    none.limit *= 2;
    let mut bare = Test::new(
        "no-legacy",
        "a machine without PIT, 8259 and keyboard controller boots, and survives a panic",
        "debug=1",
        |context| with_clock(context.boot()?, "pm-timer"),
    );
    bare.machine.board = vec!["pit=off", "pic=off", "i8042=off"];
    let mut silent = Test::new(
        "no-serial",
        "a machine without a serial port boots, and survives a panic with all that was acknowledged",
        "debug=1",
        without_serial,
    );
    silent.machine.has_serial = false;
    vec![pm_timer, hpet, none, bare, silent]
}

fn with_clock(machine: QemuMachine, source: &str) -> Verdict {
    let clock: Clock = machine.wait_event()?;
    require_equal(
        "the clock is known by",
        clock.source.to_string().as_str(),
        source,
    )?;
    require(clock.error_ppm <= ERROR_PPM_MAX, || format!("{clock}"))?;
    machine.wait_serving(1)?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    machine.closing_word()
}

/// Boots a machine from a disc, without these tables of its firmware.
fn boot_without(
    context: &TestContext<'_>,
    tables: &[&'static str],
) -> Result<QemuMachine, Problem> {
    iso::check(&LocalSystem).map_err(|problem| Problem::Skipped(problem.text().into()))?;
    let name = &context.spec.name;
    let disc = Disc {
        iso: paths::scratch(name).join("understudy.iso"),
        firmware: Firmware::Bios,
    };
    let image = files::read(&context.images.kernel)?;
    let whole = Iso::new(image, context.spec.boot_line())
        .files_of(&files::read(&context.images.archive)?)?;
    let iso = tables
        .iter()
        .fold(whole, |iso, table| iso.without_table(table));
    iso.write(name, &disc.iso)?;
    let launch = Launch::of(context.images, &context.log, context.time_left());
    QemuMachine::start_disc(&context.spec, &disc, &launch)
}

fn without_serial(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, machine.time_left())?;
    client::inject(port, "DEBUG PANIC")?;
    // What comes of requests that were under way is no reply of the successor yet.
    writer.wait_more(WRITES, machine.time_left())?;
    audit(port, &writer.finish()?)?;
    let info: String = client::ask(port, "INFO")?;
    require(info.contains("epoch:2"), || {
        format!("nobody took over: {info}")
    })?;
    require_equal("lines that were heard", machine.console().lines().len(), 0)?;
    ClosingWord::of(machine.console())
}
