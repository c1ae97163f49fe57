//! The same images in Bochs, whose processors have VMX: INIT is held there while a core is in VMX root operation.

use std::time::Duration;

use sharedmem::cause::Cause;
use sharedmem::event::{Clock, CoresLeft, Event, Protected, Takeover, TakeoverBegan};
use sharedmem::timeline::Counter;

use crate::campaigns::qualify::wait_for_report;
use crate::suite::{Test, TestContext, Verdict};
use harness::bochs::{self, BochsMachine};
use harness::files;
use harness::machine::{ClosingWord, Launch};
use harness::paths;
use harness::problem::{Problem, require_equal};
use harness::setup::LocalSystem;
use linux_kit::iso::{self, Iso};

/// GRUB and the boot take a minute on an idle host.
const LIMIT: Duration = Duration::from_secs(400);

/// What CPUID of Bochs' processor states of the clock.
const STATED_HZ: u64 = 3_500_000_000;

/// By so many, Bochs has drawn far more than a terminal holds that nobody reads.
const QUALIFY_TAKEOVERS: u32 = 36;

/// The first round of a fence that sends a native instance an NMI.
const NMI_FROM_ROUND: u64 = 4;

/// How the primary dies, what the monitor sees, in how many rounds it is fenced, and how many cores leave VMX.
struct Death {
    name: &'static str,
    doc: &'static str,
    command: &'static str,
    cause: Cause,
    rounds: u64,
    left: Option<u64>,
}

const DEATHS: [Death; 2] = [
    Death {
        name: "bochs-panic",
        doc: "a native primary's panic is survived on processors that are not QEMU's",
        command: "DEBUG PANIC",
        cause: Cause::Panic,
        rounds: 1,
        left: None,
    },
    Death {
        name: "bochs-vmx",
        doc: "every core of a native primary hangs in VMX root operation, which holds INIT: the NMI stops them",
        command: "DEBUG HANG vmx",
        cause: Cause::Silent,
        rounds: NMI_FROM_ROUND,
        left: Some(3),
    },
];

pub(super) fn tests() -> Vec<Test> {
    let test = |death: Death| {
        let append = format!(
            "failover_timeout=50ms debug=1 exec=\"500ms {}\"",
            death.command
        );
        let mut test = Test::new(death.name, death.doc, &append, move |context| {
            survive(context, &death)
        });
        test.limit = LIMIT;
        test
    };
    let mut tests: Vec<Test> = DEATHS.map(test).into();
    let append = format!("failover_timeout=50ms failover_rearm=auto qualify={QUALIFY_TAKEOVERS}");
    let mut qualified = Test::new(
        "bochs-qualify",
        "a machine that is not QEMU's dies by every cause, again and again, and reports",
        &append,
        qualify,
    );
    qualified.limit = LIMIT * 2;
    tests.push(qualified);
    tests
}

fn qualify(context: &TestContext<'_>) -> Verdict {
    let machine = start(context, "bochs-qualify")?;
    let report = wait_for_report(machine.console(), machine.time_left())?;
    require_equal("takeovers", report.takeovers, QUALIFY_TAKEOVERS)?;
    require_equal("wrong replies", report.wrong, 0)?;
    require_equal("CPUs", report.cpus, 4)?;
    ClosingWord::of(machine.console())
}

/// Starts a machine from a disc with the test's boot line.
fn start(context: &TestContext<'_>, name: &str) -> Result<BochsMachine, Problem> {
    let has_all = bochs::check(&LocalSystem).and_then(|()| iso::check(&LocalSystem));
    has_all.map_err(|problem| Problem::Skipped(problem.text().into()))?;
    let directory = paths::scratch(name);
    let disc = directory.join("understudy.iso");
    Iso::new(
        files::read(&context.images.kernel)?,
        context.spec.boot_line(),
    )
    .files_of(&files::read(&context.images.archive)?)?
    .write(name, &disc)?;
    let launch = Launch::of(context.images, &context.log, context.time_left());
    BochsMachine::start(&disc, &directory, &launch)
}

fn survive(context: &TestContext<'_>, death: &Death) -> Verdict {
    let machine = start(context, death.name)?;
    // Its processor states the frequency of the one that it resembles, and not the one that it has.
    let clock = wait::<Clock>(&machine, |_| true)?;
    require_equal(
        "what the processor states",
        clock.stated_hz,
        Some(STATED_HZ),
    )?;
    wait::<Protected>(&machine, |_| true)?;
    let began = wait::<TakeoverBegan>(&machine, |_| true)?;
    require_equal("the cause", began.cause, death.cause)?;
    if let Some(left) = death.left {
        let told = wait::<CoresLeft>(&machine, |_| true)?;
        require_equal("cores that left VMX", told.left, left)?;
    }
    let takeover = wait::<Takeover>(&machine, |takeover| takeover.epoch == 2)?;
    let rounds = takeover.counters.get(Counter::FenceRounds);
    require_equal("rounds of the fence", rounds, death.rounds)?;
    ClosingWord::of(machine.console())
}

fn wait<E: Event>(machine: &BochsMachine, is_wanted: impl Fn(&E) -> bool) -> Result<E, Problem> {
    let console = machine.console();
    console.wait_for_event(machine.time_left(), is_wanted)
}
