//! A death that a writing client has to survive, as many tests have it.

use sharedmem::cause::Cause;
use sharedmem::event;

use harness::client::{self, IMPATIENT};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require_equal};
use harness::timeline_report::TimelineReport;
use harness::writer::KeyWriter;

use crate::suite::audit;

/// Writes to be acknowledged before and after whatever happens.
pub const WRITES: u64 = 300;

/// Lets a client write, injects a fault, and checks the takeover: its cause is `cause`, and nothing acknowledged is
/// lost.
///
/// # Errors
/// The takeover is not as it should be, or something acknowledged is lost.
pub fn die_and_check(
    machine: &QemuMachine,
    command: &str,
    cause: Cause,
) -> Result<TimelineReport, Problem> {
    let takeover = die_somehow(machine, command)?;
    require_equal("the takeover's cause", takeover.event.cause, Some(cause))?;
    Ok(takeover)
}

/// Checks a takeover as [`die_and_check`] does, whatever its cause.
///
/// # Errors
/// The takeover is not as it should be, or something acknowledged is lost.
pub fn die_somehow(machine: &QemuMachine, command: &str) -> Result<TimelineReport, Problem> {
    let port = machine.port()?;
    let writer = KeyWriter::start(port, "client", IMPATIENT);
    writer.wait_more(WRITES, machine.time_left())?;
    client::inject(port, command)?;
    let takeover = machine.wait_first_reply(2)?;
    writer
        .wait_more(WRITES, machine.time_left())
        .map_err(|problem| problem.while_doing("writing on after the takeover"))?;
    audit(port, &writer.finish()?)?;
    require_equal(
        "number of takeovers",
        machine.console().events::<event::Takeover>().len(),
        1,
    )?;
    Ok(takeover)
}
