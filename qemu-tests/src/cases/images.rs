//! Primaries that do not come up: the backup serves instead.

use sharedmem::Instance;
use sharedmem::cause::Cause;
use sharedmem::event::{ImageRefused, Refused, Serving};

use crate::suite::{Test, TestContext, Verdict};
use harness::archive::ArchiveWriter;
use harness::client;
use harness::elf_image;
use harness::files;
use harness::images::{BACKUP_PATH, PRIMARY_PATH};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    let boot_timeout = "failover_boot_timeout=2s";
    vec![
        Test::new(
            "image-hangs",
            "a primary that hangs at its entry never comes up: the backup serves",
            boot_timeout,
            |context| {
                let instance = &context.images.instance;
                let hanging = elf_image::hanging_at_entry(instance)?;
                let machine = context.start_with(
                    ArchiveWriter::default()
                        .image(PRIMARY_PATH, &hanging)
                        .image(BACKUP_PATH, instance),
                )?;
                backup_serves(&machine, Cause::NeverCameUp)
            },
        ),
        Test::new(
            "image-damaged",
            "a damaged primary image is refused by name: the backup serves",
            "",
            |context| {
                let instance = &context.images.instance;
                let mut damaged = instance.clone();
                let middle = damaged.len() / 2;
                damaged[middle] ^= 1;
                let archive = ArchiveWriter::default()
                    .image(PRIMARY_PATH, instance)
                    .file(PRIMARY_PATH, &damaged)
                    .image(BACKUP_PATH, instance);
                let machine = context.start_with(archive)?;
                refused(&machine, Instance::A, PRIMARY_PATH)?;
                backup_serves(&machine, Cause::ImageRefused)
            },
        ),
        Test::new(
            "image-foreign",
            "a program of another system is refused by name: the backup serves",
            "",
            |context| {
                let foreign = files::read("/bin/true".as_ref())?;
                let instance = &context.images.instance;
                let machine = context.start_with(
                    ArchiveWriter::default()
                        .image(PRIMARY_PATH, &foreign)
                        .image(BACKUP_PATH, instance),
                )?;
                refused(&machine, Instance::A, PRIMARY_PATH)?;
                backup_serves(&machine, Cause::ImageRefused)
            },
        ),
        Test::new(
            "image-missing",
            "a primary that is not in the archive is named: the backup serves",
            "primary_kernel=/boot/nowhere",
            |context| {
                let machine = context.start(&context.spec)?;
                refused(&machine, Instance::A, "/boot/nowhere")?;
                backup_serves(&machine, Cause::ImageRefused)
            },
        ),
        Test::new(
            "images-both-refused",
            "without a usable image the boot stops and says so",
            "",
            both_refused,
        ),
    ]
}

fn refused(machine: &QemuMachine, instance: Instance, path: &str) -> Result<(), Problem> {
    let refused =
        machine.wait_event_where(|refused: &ImageRefused| refused.instance == instance)?;
    require_equal("the refused path", refused.path.as_str(), path)?;
    require(!refused.reason.as_str().is_empty(), || {
        "the refusal has no reason".into()
    })
}

fn backup_serves(machine: &QemuMachine, cause: Cause) -> Verdict {
    let takeover = machine.wait_takeover(2)?;
    require_equal("the takeover's cause", takeover.event.cause, Some(cause))?;
    require_equal("who serves", machine.wait_serving(2)?.instance, Instance::B)?;
    require_equal(
        "instance a's moments of service",
        machine.console().events::<Serving>().len(),
        1,
    )?;
    let port = machine.port()?;
    require_equal(
        "SET",
        client::ask::<String>(port, "SET key value")?.as_str(),
        "OK",
    )?;
    require_equal(
        "GET",
        client::ask::<String>(port, "GET key")?.as_str(),
        "value",
    )?;
    machine.closing_word()
}

fn both_refused(context: &TestContext<'_>) -> Verdict {
    let text = b"this is no kernel\n";
    let machine = context.start_with(
        ArchiveWriter::default()
            .image(PRIMARY_PATH, text)
            .image(BACKUP_PATH, text),
    )?;
    refused(&machine, Instance::A, PRIMARY_PATH)?;
    refused(&machine, Instance::B, BACKUP_PATH)?;
    let refusal: Refused = machine.wait_event()?;
    require_equal(
        "the option that is refused",
        refusal.option.as_str(),
        "primary_kernel",
    )?;
    let closing_word = machine.closing_event::<Refused>()?;
    require_equal(
        "instances that serve",
        machine.console().events::<Serving>().len(),
        0,
    )?;
    Ok(closing_word)
}
