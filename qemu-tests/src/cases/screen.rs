//! The screen shows what a machine without a serial port could not say: a refusal, the plan, a takeover.

use std::thread;
use std::time::Duration;

use partition::Range;
use sharedmem::cause::Cause;
use sharedmem::event::{Event, Protected, Refused, Takeover};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::machine::{Disc, Firmware, Launch, QemuMachine};
use harness::problem::{Problem, require};
use harness::screenshot::Screenshot;
use harness::setup::LocalSystem;
use harness::{files, paths};
use linux_kit::iso::{self, Iso};

/// The text screen of VGA: 25 rows of 80 characters with their attributes.
const TEXT_SCREEN: Range = Range::new(0xb_8000, 0xb_8000 + 80 * 25 * 2);

/// The monitor draws between two looks at the primary: all is shown soon, and not at once.
const LOOKS: u32 = 40;

pub(super) fn tests() -> Vec<Test> {
    let firmware = [Firmware::Bios, Firmware::Uefi];
    let shown = firmware.map(|firmware| {
        let mut test = Test::new(
            format!("screen-{firmware}"),
            "the screen that the boot loader left shows the plan and a takeover",
            "debug=1",
            move |context| takeover_is_shown(context, firmware),
        );
        test.limit *= 2;
        test
    });
    let mut refused = Test::new(
        "screen-refusal",
        "a boot that is refused says why on the screen",
        "",
        refusal_is_shown,
    );
    refused.limit *= 2;
    shown.into_iter().chain([refused]).collect()
}

fn takeover_is_shown(context: &TestContext<'_>, firmware: Firmware) -> Verdict {
    let machine = start(context, firmware, "")?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    // The plan is long gone from a screen of 25 rows.
    wait_until_shown(context, &machine, &named::<Protected>())?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    wait_until_shown(context, &machine, &named::<Takeover>())?;
    machine.closing_word()
}

/// Returns how the line of an event begins.
fn named<E: Event>() -> String {
    format!("event={}", E::SPEC.name)
}

fn refusal_is_shown(context: &TestContext<'_>) -> Verdict {
    let machine = start(context, Firmware::Uefi, "failover_mem=2T")?;
    machine.wait_event::<Refused>()?;
    wait_until_shown(context, &machine, "boot refused: failover_mem=2T")?;
    machine.closing_event::<Refused>()
}

fn start(
    context: &TestContext<'_>,
    firmware: Firmware,
    append: &str,
) -> Result<QemuMachine, Problem> {
    iso::check(&LocalSystem).map_err(|problem| Problem::Skipped(problem.text().into()))?;
    let name = &context.spec.name;
    let disc = Disc {
        iso: paths::scratch(name).join("understudy.iso"),
        firmware,
    };
    let boot_line = format!("{} {append}", context.spec.boot_line());
    Iso::new(files::read(&context.images.kernel)?, boot_line.trim_end())
        .files_of(&files::read(&context.images.archive)?)?
        .write(name, &disc.iso)?;
    let launch = Launch::of(context.images, &context.log, context.time_left());
    QemuMachine::start_disc(&context.spec, &disc, &launch)
}

/// Waits until the machine's screen shows `text`.
fn wait_until_shown(
    context: &TestContext<'_>,
    machine: &QemuMachine,
    text: &str,
) -> Result<(), Problem> {
    let is_text = machine
        .console()
        .lines()
        .iter()
        .any(|line| line.contains("screen: 80 x 25 characters"));
    let path = paths::scratch(&context.spec.name).join("screen");
    let wanted = Screenshot::of_text(text);
    for _ in 0..LOOKS {
        let mut control = machine.control()?;
        let is_shown = match is_text {
            true => {
                control.save_memory(TEXT_SCREEN, &path)?;
                let cells = files::read(&path)?;
                let shown: Vec<u8> = cells.iter().step_by(2).copied().collect();
                shown
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
            }
            false => {
                control.screenshot(&path)?;
                Screenshot::read(&files::read(&path)?)?.shows(&wanted)
            }
        };
        if is_shown {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(250));
    }
    require(false, || {
        format!("the screen never showed {text:?} (see {})", path.display())
    })
}
