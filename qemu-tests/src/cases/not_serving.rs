//! A primary whose main loop goes on while nobody is served, and one that only looks as if.

use std::time::Duration;

use sharedmem::cause::Cause;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::event::{EpitaphFound, NotServing, Takeover};

use super::survival::{WRITES, die_and_check, die_somehow};
use crate::suite::{Test, TestContext, Verdict, audit};
use harness::client::{self, IMPATIENT};
use harness::problem::{require, require_equal};
use harness::writer::KeyWriter;

/// Name of the part, cause in the epitaph, part of its message, and what is broken.
const PARTS: [(&str, EpitaphCause, &str, &str); 10] = [
    (
        "receive-behind",
        EpitaphCause::Device,
        "receive queue",
        "the used index of the receive queue goes back",
    ),
    (
        "nic-page",
        EpitaphCause::Device,
        "status register",
        "the page-table entry of the card's registers leads elsewhere",
    ),
    (
        "notify-page",
        EpitaphCause::Device,
        "returns none",
        "the page-table entry of the card's notifications leads elsewhere",
    ),
    (
        "bus-master",
        EpitaphCause::Device,
        "bus mastering",
        "the card may not access memory",
    ),
    (
        "pci-memory",
        EpitaphCause::Device,
        "memory space",
        "the card does not answer at its memory addresses",
    ),
    (
        "device-status",
        EpitaphCause::Device,
        "status register",
        "the card was reset behind its driver's back",
    ),
    (
        "receive-used",
        EpitaphCause::Device,
        "receive queue",
        "the used index of the receive queue jumps",
    ),
    (
        "transmit-used",
        EpitaphCause::Device,
        "transmit queue",
        "the used index of the transmit queue jumps",
    ),
    (
        "gate",
        EpitaphCause::Device,
        "wait at the gate",
        "the code that lets frames leave does nothing",
    ),
    (
        "service",
        EpitaphCause::Service,
        "canary",
        "the code that submits input to the service does nothing",
    ),
];

pub(super) fn tests() -> Vec<Test> {
    let parts = PARTS.map(|(part, cause, message, what)| {
        Test::new(
            format!("not-serving-{part}"),
            format!("{what}: found, taken over, nothing lost"),
            "debug=1",
            move |context| {
                let machine = context.boot()?;
                die_and_check(&machine, &format!("DEBUG BREAK {part}"), Cause::Panic)?;
                let epitaph: EpitaphFound = machine.wait_event()?;
                require_equal("the epitaph's cause", epitaph.cause, Some(cause))?;
                let found = epitaph.message.as_str();
                require(found.contains(message), || {
                    format!("the epitaph says: {found}")
                })?;
                machine.closing_word()
            },
        )
    });
    let heap_page = Test::new(
        "not-serving-heap-page",
        "a page-table entry of the heap leads elsewhere: whatever that leads to is a takeover, and nothing is lost",
        "debug=1",
        |context| {
            let machine = context.boot()?;
            let takeover = die_somehow(&machine, "DEBUG BREAK heap-page")?;
            require(takeover.event.cause.is_some(), || {
                "the takeover has no cause".into()
            })?;
            machine.closing_word()
        },
    );
    let alone = Test::new(
        "not-serving-alone",
        "a primary without a backup resets its card itself, and serves on",
        "debug=1 admin=1 failover_rearm=manual",
        repair_alone,
    );
    let calm = Test::new(
        "idle-and-busy",
        "neither an idle nor a busy machine finds that it serves nobody",
        "debug=1",
        idle_and_busy,
    );
    parts.into_iter().chain([heap_page, alone, calm]).collect()
}

/// Takes the backup away, and breaks the card.
fn repair_alone(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, context.time_left())?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_first_reply(2)?;
    for part in ["device-status", "pci-memory", "receive-used"] {
        writer.wait_more(WRITES, context.time_left())?;
        client::inject(port, &format!("DEBUG BREAK {part}"))?;
    }
    writer.wait_more(WRITES, context.time_left())?;
    audit(port, &writer.finish()?)?;
    let console = machine.console();
    let found = console.events::<NotServing>();
    require_equal("faults that were found", found.len(), 3)?;
    require(found.iter().all(|event| !event.dies), || {
        "the only primary of the machine died".into()
    })?;
    let takeovers = console.events::<Takeover>().len();
    require_equal("number of takeovers", takeovers, 1)?;
    machine.closing_word()
}

/// Lets the machine be idle, then busy with writes, a request that takes long, and checkpoints.
fn idle_and_busy(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    std::thread::sleep(Duration::from_secs(3));
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    for _ in 0..5 {
        writer.wait_more(WRITES, context.time_left())?;
        client::ask::<String>(port, "DEBUG CHECKPOINT")?;
        client::ask::<String>(port, "DEBUG POPULATE 20000 busy 100")?;
        client::ask::<u64>(port, "FLUSHALL").ok();
    }
    writer.finish()?;
    let console = machine.console();
    require_equal("alarms", console.events::<NotServing>().len(), 0)?;
    require_equal("takeovers", console.events::<Takeover>().len(), 0)?;
    machine.closing_word()
}
