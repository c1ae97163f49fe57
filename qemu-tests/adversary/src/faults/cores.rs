//! Kinds 7 and 8: CPUs that stand still, all together or one alone.

use std::thread;
use std::time::Duration;

use super::Fault;
use super::Outcome::{Alarm, BackupLostAndRearmed, Harmless, ResetStateBack, TakenOver};
use debugger::Debugger;
use harness::client;
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// The emulator is stopped for the first of these times, ...
const SHORTEST: Duration = Duration::from_millis(200);
/// ... then for so much more each time, ...
const STEP: Duration = Duration::from_millis(300);
/// ... so often: the last time for 5 s.
const STOPS: u32 = 17;
/// Between two stops.
const BETWEEN: Duration = Duration::from_millis(700);
/// A CPU takes no INIT for this time: longer than the fence tries.
const DEAF: Duration = Duration::from_secs(6);
/// A CPU gets no time for so long.
const STARVED: Duration = Duration::from_secs(6);
/// The command that kills is sent when the CPUs are as they shall be.
const BEFORE_DEATH: Duration = Duration::from_millis(300);

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "emulator-stopped",
            "the whole machine stands still 17 times, for 0.2 to 5 s",
            &[Harmless],
            stop_emulator,
        ),
        Fault::new(
            "deaf-core",
            "a core of the primary takes no INIT while the primary dies",
            &[ResetStateBack, TakenOver],
            deaf_core,
        ),
        Fault::new(
            "lead-starved",
            "the primary's first CPU gets no time for 6 s, and all others do",
            &[TakenOver, ResetStateBack],
            |machine| starve(machine, 1),
        ),
        Fault::new(
            "seat-starved",
            "the monitor's CPU gets no time for 6 s, and all others do",
            &[Harmless, BackupLostAndRearmed, Alarm],
            |machine| starve(machine, 0),
        ),
    ]
}

fn stop_emulator(machine: &QemuMachine) -> Result<(), Problem> {
    for number in 0..STOPS {
        machine.signal("STOP")?;
        thread::sleep(SHORTEST + STEP * number);
        machine.signal("CONT")?;
        thread::sleep(BETWEEN);
    }
    Ok(())
}

/// Lets all CPUs but this one go on.
fn starve(machine: &QemuMachine, cpu: usize) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let others: Vec<usize> = (0..debugger.cpus()?).filter(|it| *it != cpu).collect();
    debugger.run_only(&others, STARVED)
}

/// Lets all CPUs but the last one go on, and kills the primary meanwhile.
fn deaf_core(machine: &QemuMachine) -> Result<(), Problem> {
    let port = machine.port()?;
    let mut debugger = Debugger::attach(machine)?;
    let all: Vec<usize> = (0..debugger.cpus()?).collect();
    let killer = thread::spawn(move || {
        thread::sleep(BEFORE_DEATH);
        // The machine stands still before the connection ends, so there may be no answer. That it struck is seen
        // by what follows: this fault cannot be harmless.
        let _ = client::inject(port, "DEBUG PANIC");
    });
    debugger.run_only(&all[..all.len() - 1], DEAF)?;
    killer
        .join()
        .map_err(|_| Problem::BrokenSetUp("the killing client panicked".into()))
}
