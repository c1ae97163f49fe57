//! The disc: GRUB starts it on both kinds of firmware, and its primary's death is survived.

use sharedmem::cause::Cause;
use sharedmem::event::Protected;

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::files;
use harness::machine::{Disc, Firmware, Launch, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require};
use harness::setup::LocalSystem;
use linux_kit::iso::{self, Iso};

/// Characters that have a meaning for GRUB, and none for us. The `;` ends a clause of the script.
const ODD_WORDS: [&str; 2] = ["one$two${three}", "four&five|six#seven>eight*"];

pub(super) fn tests() -> Vec<Test> {
    [Firmware::Bios, Firmware::Uefi]
        .map(|firmware| {
            let append = format!("debug=1 exec=\"ECHO {};ECHO {}\"", ODD_WORDS[0], ODD_WORDS[1]);
            let mut test = Test::new(
                format!("iso-{firmware}"),
                "a disc with GRUB boots, hands over the boot line as it was meant, and its primary's panic is survived",
                &append,
                move |context| survive(context, firmware),
            );
            // The firmware and GRUB take their time first.
            test.limit *= 2;
            test
        })
        .into()
}

fn survive(context: &TestContext<'_>, firmware: Firmware) -> Verdict {
    iso::check(&LocalSystem).map_err(|problem| Problem::Skipped(problem.text().into()))?;
    let name = &context.spec.name;
    let disc = Disc {
        iso: paths::scratch(name).join("understudy.iso"),
        firmware,
    };
    let iso = Iso::new(
        files::read(&context.images.kernel)?,
        context.spec.boot_line(),
    )
    .files_of(&files::read(&context.images.archive)?)?;
    iso.write(name, &disc.iso)?;
    let launch = Launch::of(context.images, &context.log, context.time_left());
    let machine = QemuMachine::start_disc(&context.spec, &disc, &launch)?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    for word in ODD_WORDS {
        machine.said_closing_word(word)?;
    }
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let has_grubs_menu = machine
        .console()
        .lines()
        .iter()
        .any(|line| line.contains("GRUB"));
    require(has_grubs_menu, || {
        "the machine did not come up by GRUB".into()
    })?;
    machine.closing_word()
}
