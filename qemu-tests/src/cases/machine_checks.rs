//! Machine checks and NMIs, at any time.

use std::thread;
use std::time::Duration;

use sharedmem::event::{MachineCheck, StrayNmi};

use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict};
use debugger::Debugger;
use harness::client;
use harness::fleet::Fleet;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require};
use harness::random::Random;

/// Keys that are there.
const KEYS: u64 = 1_000;

/// CPUs: the seat, and two of the primary.
const CPUS: u32 = 3;

/// What QEMU's monitor injects into a CPU, bank 1 (Intel SDM vol. 3B, 15.3.2.2): status, global status, address, more.
/// Corrected; uncorrected, and software may go on; uncorrected, and the context is corrupt.
const CORRECTED: &str = "1 0x9400000000000135 0 0x1000 0";
const OPTIONAL: &str = "1 0xbd000000000000c0 0x5 0x1000 0x8c";
const CORRUPT: &str = "1 0xbe00000000000135 0x5 0x1000 0x8c";

/// Deaths, each with a check or an NMI during the takeover, and the time within which that comes.
const DEATHS: u64 = 6;
const WITHIN_US: u64 = 60_000;

const SEED: u64 = 18;

pub(super) fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new(
            "machine-check",
            "machine checks that a kernel can survive cost nothing; one that it cannot survive is a takeover",
            rearm::OPTIONS,
            survive,
        ),
        Test::new(
            "machine-check-takeover",
            "machine checks of all cores and NMIs, at seeded instants of takeovers: nothing is lost",
            rearm::OPTIONS,
            survive_in_takeovers,
        ),
    ];
    for test in &mut tests {
        test.machine.cpus = CPUS;
        test.machine.may_reset = true;
    }
    tests
}

fn inject(machine: &QemuMachine, what: &str) -> Result<(), Problem> {
    Debugger::attach(machine)?.monitor(what).map(drop)
}

fn survive(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let clients = Fleet::start(&machine, KEYS)?;
    for cpu in 0..CPUS {
        inject(&machine, &format!("mce {cpu} {CORRECTED}"))?;
        inject(&machine, "nmi")?;
    }
    client::inject(machine.port()?, "DEBUG NMI")?;
    clients.do_more(&machine)?;
    machine.wait_event_where::<MachineCheck>(|it| it.survived)?;
    machine.wait_event_where::<StrayNmi>(|it| it.count == 1)?;
    for cpu in 0..CPUS {
        inject(&machine, &format!("mce -b {cpu} {OPTIONAL}"))?;
        thread::sleep(Duration::from_millis(50));
    }
    clients.do_more(&machine)?;
    let console = machine.console();
    let takeovers = console.events::<sharedmem::event::TakeoverBegan>().len();
    require(takeovers == 0, || {
        "a check that can be survived was not".into()
    })?;
    inject(&machine, &format!("mce 1 {CORRUPT}"))?;
    machine.wait_takeover(2)?;
    clients.do_more(&machine)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

/// Injects checks and NMIs into takeovers. A core that INIT has just reset takes no machine check: that resets the
/// machine, whose state is back.
fn survive_in_takeovers(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let clients = Fleet::start(&machine, KEYS)?;
    let mut random = Random::new(SEED);
    for death in 0..DEATHS {
        rearm::wait_protected(&machine, port)?;
        client::inject(port, "DEBUG PANIC")?;
        thread::sleep(Duration::from_micros(random.below(WITHIN_US)));
        match death % 2 {
            0 => inject(&machine, &format!("mce -b 0 {OPTIONAL}"))?,
            _ => inject(&machine, "nmi")?,
        }
        clients.do_more(&machine)?;
    }
    clients.finish(&machine)?;
    machine.closing_word()
}
