//! The ways in which a primary dies, and what is reported of each.

use sharedmem::Instance;
use sharedmem::cause::Cause;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::event::{self, EpitaphFound};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};
use harness::qmp::Qmp;

/// Name, command, cause of the takeover, and what holds.
const HANGS: [(&str, &str, Cause, &str); 4] = [
    (
        "hang-service-core",
        "DEBUG HANG",
        Cause::Silent,
        "the service's core hangs with interrupts off",
    ),
    (
        "hang-other-core",
        "DEBUG HANG 1",
        Cause::Hung,
        "a core beside the service hangs with interrupts off",
    ),
    (
        "hang-all",
        "DEBUG HANG all",
        Cause::Silent,
        "all cores hang with interrupts off",
    ),
    (
        "hang-loop",
        "DEBUG HANG loop",
        Cause::Hung,
        "the main loop hangs, and the timer under it ticks on",
    ),
];

/// Name, command, vectors of which one is in the epitaph, and what holds.
const FAULTS: [(&str, &str, &[u64], &str); 3] = [
    (
        "double-fault",
        "DEBUG DOUBLE-FAULT",
        &[8],
        "a fault whose handler faults",
    ),
    (
        "stack-overflow",
        "DEBUG STACK-OVERFLOW",
        &[8, 14],
        "the stack runs into its guard page",
    ),
    (
        "wild-write",
        "DEBUG WILD-WRITE",
        &[14],
        "a write into the backup's slice faults",
    ),
];

pub(super) fn tests() -> Vec<Test> {
    let hangs = HANGS.map(|(name, command, cause, what)| {
        Test::new(
            name,
            format!("{what}: noticed, taken over, nothing lost"),
            "debug=1",
            move |context| {
                let machine = context.boot()?;
                let takeover = die_and_check(&machine, command, cause)?;
                let core = u32::from(name == "hang-other-core");
                let core = cause.names_core().then_some(core);
                require_equal("the core that hangs", takeover.event.core, core)?;
                machine.closing_word()
            },
        )
    });
    let faults = FAULTS.map(|(name, command, vectors, what)| {
        Test::new(
            name,
            format!("{what}: an epitaph, a takeover, nothing lost"),
            "debug=1",
            move |context| {
                let machine = context.boot()?;
                die_and_check(&machine, command, Cause::Panic)?;
                check_epitaph(&machine, vectors)?;
                machine.closing_word()
            },
        )
    });
    let paused = Test::new(
        "paused",
        "a machine that was stopped for longer than the time-out loses nothing",
        "debug=1",
        pause,
    );
    let absent = Test::new(
        "seat-absent",
        "the emulator's process is stopped five times, for 0.2 to 5 s: no takeover, and protected throughout",
        "",
        stop_all,
    );
    hangs
        .into_iter()
        .chain(faults)
        .chain([paused, absent])
        .collect()
}

fn check_epitaph(machine: &QemuMachine, vectors: &[u64]) -> Result<(), Problem> {
    let epitaph: EpitaphFound = machine.wait_event()?;
    require_equal("the dead instance", epitaph.instance, Instance::A)?;
    require_equal("its cause", epitaph.cause, Some(EpitaphCause::Exception))?;
    let vector = epitaph.vector;
    require(vectors.contains(&vector), || {
        format!("the epitaph's vector is {vector}, should be one of {vectors:?}")
    })?;
    require(epitaph.rip.0 != 0, || {
        "the epitaph has no instruction pointer".into()
    })?;
    if vectors == [14] {
        let message = epitaph.message.as_str();
        require(message.contains("the other instance's slice"), || {
            format!("the epitaph says: {message}")
        })?;
        require(epitaph.address.0 != 0, || {
            "the epitaph has no address".into()
        })?;
    }
    Ok(())
}

/// Stops the emulator, with all its CPUs, while the clocks go on: nobody was silent, because nobody could listen.
fn stop_all(context: &TestContext<'_>) -> Verdict {
    use super::survival::WRITES;
    use crate::suite::audit;
    use harness::client::IMPATIENT;
    use harness::writer::KeyWriter;
    use std::thread::sleep;
    use std::time::Duration;

    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    for stopped_ms in [200, 500, 1000, 2000, 5000] {
        writer.wait_more(WRITES, context.time_left())?;
        machine.signal("STOP")?;
        sleep(Duration::from_millis(stopped_ms));
        machine.signal("CONT")?;
    }
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    let console = machine.console();
    let takeovers = console.events::<event::TakeoverBegan>().len();
    require_equal("number of takeovers", takeovers, 0)?;
    let losses = console.events::<event::Unprotected>().len();
    require_equal("times that it was unprotected", losses, 0)?;
    let absences = console.events::<event::SeatAbsent>();
    require(!absences.is_empty(), || {
        "the monitor has not noticed that it was absent".into()
    })?;
    machine.closing_word()
}

/// Pauses the machine. Whether that leads to a takeover depends on which clocks stop with the CPUs; what was
/// acknowledged stays either way.
fn pause(context: &TestContext<'_>) -> Verdict {
    use super::survival::WRITES;
    use crate::suite::audit;
    use harness::client::IMPATIENT;
    use harness::writer::KeyWriter;

    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    let mut control: Qmp = machine.control()?;
    control.pause()?;
    require_equal("QEMU's status", control.status()?.as_str(), "paused")?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    control.resume()?;
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    machine.closing_word()
}
