//! A kernel is replaced while it serves.

use sharedmem::Revisions;
use sharedmem::event::FellBack;

use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict};
use harness::client;
use harness::fleet::Fleet;
use harness::operator::{self, MachineStatus};
use harness::problem::{Problem, require, require_equal};

/// What the boot line says beyond the usual.
const OPTIONS: &str = "failover_rearm=auto failover_boot_timeout=1s admin=1 debug=1";
/// Keys that are there.
const KEYS: u64 = 20_000;
/// The version in the new image.
const NEW: &str = "0.1.1";

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "upgrade",
            "another version is loaded as the backup, switched to, and switched back from: no client sees an error",
            OPTIONS,
            upgrade,
        ),
        Test::new(
            "upgrade-refused",
            "an image that is damaged, or of the revision before or after, is refused, and both revisions are \
             named; the backup that waits goes on waiting",
            OPTIONS,
            refused,
        ),
        Test::new(
            "upgrade-does-not-boot",
            "an image that crashes on the seat: the old one is the backup again",
            OPTIONS,
            does_not_boot,
        ),
        Test::new(
            "upgrade-panics",
            "a new version that panics when it is switched to: the old one goes on, with all state and all connections",
            OPTIONS,
            |context| dies(context, "DEBUG PROMOTION-PANIC"),
        ),
        Test::new(
            "upgrade-hangs",
            "a new version that hangs when it is switched to: the old one goes on, with all state and all connections",
            OPTIONS,
            |context| dies(context, "DEBUG PROMOTION-HANG"),
        ),
        Test::new(
            "arm-disarm",
            "the operator gives the backup up, and loads one again",
            "admin=1 debug=1",
            arm_disarm,
        ),
    ]
}

/// Finds the revisions in the note; the version follows them.
fn note(image: &[u8]) -> Result<usize, Problem> {
    let name = b"Understudy\0\0";
    let at = image.windows(name.len()).position(|window| window == name);
    at.map(|at| at + name.len())
        .ok_or_else(|| Problem::Failed("the image has no note".into()))
}

/// Makes an image of another version.
fn newer(context: &TestContext<'_>) -> Result<Vec<u8>, Problem> {
    let mut image = context.images.instance.clone();
    let at = note(&image)? + 8;
    image[at..at + NEW.len()].copy_from_slice(NEW.as_bytes());
    Ok(image)
}

fn upgrade(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let old = MachineStatus::of(port)?.text("version").to_owned();
    let clients = Fleet::start(&machine, KEYS)?;
    let armed = operator::load(port, &newer(context)?)?;
    require_equal("the backup's version", armed.as_str(), NEW)?;
    clients.do_more(&machine)?;
    let switched = operator::switch(port)?;
    require_equal("the version that serves", switched.text("version"), NEW)?;
    clients.do_more(&machine)?;
    let back = operator::wait_until(port, "no backup is ready", MachineStatus::is_protected)?;
    require_equal("the backup's version", back.text("backup_version"), &*old)?;
    let fallen_back = operator::switch(port)?;
    require_equal(
        "the version that serves",
        fallen_back.text("version"),
        &*old,
    )?;
    clients.finish(&machine)?;
    // The image that was uploaded is loaded again, and again has the whole state.
    let again = operator::wait_until(port, "no backup is ready", MachineStatus::is_protected)?;
    require_equal("the backup's version", again.text("backup_version"), NEW)?;
    machine.closing_word()
}

fn refused(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let before = MachineStatus::of(port)?;
    let mut damaged = newer(context)?;
    damaged.truncate(damaged.len() / 2);
    let mut bad = vec![
        (damaged, vec!["damaged ELF file".to_owned()]),
        (b"#!/bin/sh\n".to_vec(), vec!["script".to_owned()]),
    ];
    let own = Revisions::OWN;
    for foreign in neighbours(own) {
        let image = with_revisions(newer(context)?, foreign)?;
        bad.push((image, vec![foreign.to_string(), own.to_string()]));
    }
    for (image, words) in bad {
        let Err(problem) = operator::load(port, &image) else {
            return Err(Problem::Failed("a bad image was accepted".into()));
        };
        let text = problem.to_string();
        let is_named = text.contains("refused") && words.iter().all(|word| text.contains(word));
        require(is_named, || format!("the refusal says: {text}"))?;
    }
    let after = MachineStatus::of(port)?;
    require(after.is_protected(), || "the backup is gone".to_owned())?;
    let version = |status: &MachineStatus| status.text("backup_version").to_owned();
    require_equal("the backup's version", version(&after), version(&before))?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(2)?;
    machine.closing_word()
}

/// Returns the revisions before and after `own`: of the ABI, and of the journal.
fn neighbours(own: Revisions) -> [Revisions; 4] {
    let Revisions { abi, journal } = own;
    [
        (abi - 1, journal),
        (abi + 1, journal),
        (abi, journal - 1),
        (abi, journal + 1),
    ]
    .map(|(abi, journal)| Revisions { abi, journal })
}

/// Writes other revisions into an image's note.
fn with_revisions(mut image: Vec<u8>, revisions: Revisions) -> Result<Vec<u8>, Problem> {
    let at = note(&image)?;
    image[at..at + 8].copy_from_slice(&revisions.word().to_le_bytes());
    Ok(image)
}

fn does_not_boot(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let old = MachineStatus::of(port)?.text("version").to_owned();
    let clients = Fleet::start(&machine, KEYS)?;
    let mut image = newer(context)?;
    break_entry(&mut image)?;
    let armed = operator::load(port, &image)?;
    require_equal("the backup's version", &*armed, &*old)?;
    machine.wait_event::<FellBack>()?;
    clients.do_more(&machine)?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(2)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

/// Puts an invalid instruction at the image's entry point.
fn break_entry(image: &mut [u8]) -> Result<(), Problem> {
    let parsed = partition::Image::parse("the image", image)
        .map_err(|error| Problem::Failed(error.to_string()))?;
    let entry = parsed.entry;
    let segment = parsed
        .segments
        .iter()
        .find(|segment| (segment.range().start..segment.range().end).contains(&entry))
        .ok_or_else(|| Problem::Failed("no segment has the entry point".into()))?;
    let at = segment.file_range.start + (entry - segment.virt) as usize;
    image[at..at + 2].copy_from_slice(&[0x0f, 0x0b]);
    Ok(())
}

fn dies(context: &TestContext<'_>, fault: &str) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let old = MachineStatus::of(port)?.text("version").to_owned();
    let clients = Fleet::start(&machine, KEYS)?;
    let armed = operator::load(port, &newer(context)?)?;
    require_equal("the backup's version", armed.as_str(), NEW)?;
    client::inject(port, fault)?;
    let switched = operator::switch(port)?;
    // The new version never served: it died in epoch 2.
    require_equal("the epoch", switched.number("epoch"), 3)?;
    require_equal("the version that serves", switched.text("version"), &*old)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

fn arm_disarm(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    operator::request(port, &[b"DISARM"])?;
    operator::wait_until(port, "still protected", |status| !status.is_protected())?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    let twice = operator::request(port, &[b"DISARM"]);
    require(twice.is_err(), || "nothing was disarmed".to_owned())?;
    operator::request(port, &[b"ARM"])?;
    operator::wait_until(port, "no backup is ready", MachineStatus::is_protected)?;
    let twice = operator::request(port, &[b"ARM"]);
    require(twice.is_err(), || "two backups were armed".to_owned())?;
    rearm::take_over_whole(&machine, 2)?;
    machine.closing_word()
}
