//! The monitor dies: whoever is left brings the machine back.

use std::thread;
use std::time::Duration;

use sharedmem::event::{MonitorSilent, ResetSurvived, WatchdogStarted};

use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict};
use debugger::{Debugger, Space, Symbols};
use harness::client;
use harness::fleet::Fleet;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require_equal};

/// Keys that are there.
const KEYS: u64 = 10_000;

/// One and a half of the watchdog's times.
const UNTOUCHED: Duration = Duration::from_secs(15);

/// `cli`, and a jump to itself.
const SPIN: [u8; 3] = [0xfa, 0xeb, 0xfe];

/// `ud2`, which no CPU executes.
const INVALID: [u8; 2] = [0x0f, 0x0b];

pub(super) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new(
            "monitor-dies",
            "the monitor faults: the primary says so and serves on; it panics: the next boot goes on with the state",
            rearm::OPTIONS,
            |context| survive(context, Some("DEBUG PANIC")),
        ),
        Test::new(
            "monitor-reset",
            "failover_monitor=reset: the monitor faults, and the primary resets the machine without losing anything",
            "failover_rearm=auto debug=1 failover_monitor=reset",
            |context| survive(context, None),
        ),
    ];
    tests.push({
        let mut test = Test::new(
            "watchdog",
            "the monitor hangs with interrupts off: the hardware watchdog resets the machine, which goes on",
            "failover_rearm=auto debug=1 failover_watchdog=10s",
            be_reset_by_watchdog,
        );
        test.machine.has_watchdog = true;
        test
    });
    for test in &mut tests {
        test.machine.may_reset = true;
    }
    tests
}

/// Hangs the monitor where nothing but hardware reaches it.
fn be_reset_by_watchdog(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let clients = Fleet::start(&machine, KEYS)?;
    machine.wait_event::<WatchdogStarted>()?;
    // Longer than the watchdog waits, in which a monitor that pets it is not reset.
    thread::sleep(UNTOUCHED);
    let resets = machine.console().events::<ResetSurvived>().len();
    require_equal("resets", resets, 0)?;
    let round = Symbols::of_monitor()?.find(&["Supervisor$LT$P$GT$", "round"])?;
    Debugger::attach(&machine)?.write(Space::Physical, round.address, &SPIN)?;
    machine.wait_event::<ResetSurvived>()?;
    machine.wait_serving(2)?;
    clients.do_more(&machine)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

/// Kills the monitor under clients that never reconnect, and the primary by `death` if it does not act by itself.
fn survive(context: &TestContext<'_>, death: Option<&str>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let clients = Fleet::start(&machine, KEYS)?;
    kill_monitor(&machine)?;
    machine.wait_event::<MonitorSilent>()?;
    if let Some(command) = death {
        clients.do_more(&machine)?;
        client::inject(port, command)?;
    }
    machine.wait_event::<ResetSurvived>()?;
    machine.wait_serving(2)?;
    rearm::wait_protected(&machine, port)?;
    clients.do_more(&machine)?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(3)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

/// Puts an invalid instruction where the monitor's main loop begins.
fn kill_monitor(machine: &QemuMachine) -> Result<(), Problem> {
    let round = Symbols::of_monitor()?.find(&["Supervisor$LT$P$GT$", "round"])?;
    Debugger::attach(machine)?.write(Space::Physical, round.address, &INVALID)
}
