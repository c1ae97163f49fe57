//! A log that is flooded after the backup was lost.

use std::thread;
use std::time::Duration;

use sharedmem::Instance;
use sharedmem::event::Unprotected;

use super::Fault;
use super::Outcome::BackupLostAndRearmed;
use debugger::{Debugger, Region};
use harness::client;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require};

/// Floods, the lines of each, and the time between two.
const FLOODS: u32 = 6;
const FLOOD_LINES: u32 = 10_000;
const BETWEEN: Duration = Duration::from_millis(500);

pub(super) fn faults() -> Vec<Fault> {
    vec![Fault::new(
        "log-flood",
        "the backup dies, and the primary logs 60,000 lines: why it was unprotected is still in its log",
        &[BackupLostAndRearmed],
        flood,
    )]
}

fn flood(machine: &QemuMachine) -> Result<(), Problem> {
    let port = machine.port()?;
    client::ask::<String>(port, "DEBUG BACKUP-PANIC")?;
    let reason = machine.wait_event::<Unprotected>()?.to_string();
    for _ in 0..FLOODS {
        client::ask::<String>(port, &format!("DEBUG LOG-FLOOD {FLOOD_LINES}"))?;
        thread::sleep(BETWEEN);
    }
    let mut debugger = Debugger::attach(machine)?;
    let log = Region::find(&mut debugger)?.log(&mut debugger, Some(Instance::A))?;
    require(log.contains(&reason), || {
        format!("the log does not say {reason} any more")
    })
}
