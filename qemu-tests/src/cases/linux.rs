//! Linux tenants: one distribution's kernel dies, another goes on.

use std::time::Duration;

use sharedmem::event;

use crate::suite::{Test, TestContext, Verdict};
use harness::linux::gap::GapProbe;
use harness::linux::http;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};
use linux_kit::hardware::Hardware;
use linux_kit::packages::Series;
use linux_tests::campaigns::devices;
use linux_tests::campaigns::lives::{self, KernelEnd};
use linux_tests::parked::{Quarters, Snapshot};
use linux_tests::takeover::{Death, Survived, play, survive};
use linux_tests::tenants::Pair;

/// Two kernels boot one after the other.
const LIMIT: Duration = Duration::from_secs(180);

/// A test may have to share its host.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) fn tests() -> Vec<Test> {
    let cases = [
        (Death::Panic, "panics", Series::V6_12, Series::V6_1),
        (
            Death::Hang,
            "hangs on all CPUs",
            Series::V6_1,
            Series::V6_12,
        ),
    ];
    let test = |(death, does, primary, backup): (Death, &str, Series, Series)| {
        let name = format!("linux-{death}");
        let doc = format!(
            "an unmodified Linux {} {does}; an unmodified Linux {} has its disk, its RAM disk and its address",
            primary.name(),
            backup.name()
        );
        let pair = Pair {
            timeout: TIMEOUT,
            ..Pair::new(&name, primary, backup)
        };
        let mut test = Test::new(name, doc, "", move |context| {
            take_over(context, &pair, death)
        });
        test.limit = LIMIT;
        test
    };
    let mut tests: Vec<Test> = cases.map(test).into();
    tests.extend(with_kvm());
    tests.push(all_devices());
    tests.push(rearming());
    tests.push(parked());
    tests
}

/// Makes the tests of a primary with KVM, whose CPUs must leave virtualization. QEMU's translator does not hold INIT
/// back, so only what the CPUs told shows that they did.
fn with_kvm() -> [Test; 2] {
    // Of a panicking kernel, the other CPUs leave by themselves before the fence.
    [(Death::Panic, 1), (Death::Hang, 3)].map(|(death, least)| {
        let name = format!("linux-kvm-{death}");
        let doc = format!(
            "a Linux with KVM and a guest that never ends dies ({death}): {least} CPUs or more tell that they left \
             virtualization, and the backup, which has KVM as well, takes over and runs the guest"
        );
        let usual = Pair::new(&name, Series::V6_12, Series::V6_12);
        let pair = Pair {
            timeout: TIMEOUT,
            has_kvm: true,
            hardware: Hardware { cpu: "EPYC,+svm,+x2apic", ..usual.hardware.clone() },
            ..usual
        };
        let mut test = Test::new(name, doc, "", move |context| {
            let machine = pair.start(context.images, &context.log, context.time_left())?;
            let guest_runs = |line: &str| line.contains("kvm-loop: the guest runs").then_some(());
            machine.console().wait_for("the virtual machine", context.time_left(), guest_runs)?;
            let outcome = survive(&machine, &pair, death)?;
            require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
            let left = outcome.status["takeover"]["cores_left"].as_u64();
            require(left >= Some(least), || {
                format!("CPUs that left virtualization: {left:?}")
            })?;
            machine.closing_event::<event::Ready>()
        });
        test.limit = LIMIT * 2;
        test.is_long = death == Death::Panic;
        test
    })
}

/// Makes the test with real cards and disks.
fn all_devices() -> Test {
    let doc = "network cards and disks of servers, on the root bus, behind ports and behind bridges: each comes back \
               when its Linux panics, and no file that was on a disk is lost";
    let mut test = Test::new("linux-devices", doc, "", |context| {
        let [trial] = &devices::few()[..] else {
            return Err(Problem::BrokenSetUp("the quick form is one machine".into()));
        };
        let (machine, rows) = trial.play(context.images, &context.log, context.time_left())?;
        require(devices::is_passed(&rows), || {
            let rows = rows.iter().map(ToString::to_string);
            rows.collect::<Vec<String>>().join("; ")
        })?;
        machine.closing_event::<event::Ready>()
    });
    test.needs_x2apic = true;
    test.limit = devices::LIMIT;
    test
}

/// Makes the test of one boot in which A dies, B hands over to A on purpose, A reboots and dies again.
fn rearming() -> Test {
    const ENDS: [KernelEnd; 4] = [
        KernelEnd::Death(Death::Panic),
        KernelEnd::Switch,
        KernelEnd::Reboot,
        KernelEnd::Death(Death::Hang),
    ];
    let name = "linux-lives";
    let pair = Pair {
        timeout: TIMEOUT,
        append: "failover_rearm=auto".into(),
        ..Pair::new(name, Series::V6_12, Series::V6_1)
    };
    let doc = "two Linuxes in one boot: panic, switchover, reboot, hang; after each the machine is protected again";
    let mut test = Test::new(name, doc, "", move |context| {
        let left = context.time_left();
        let (machine, lives) = lives::play(&pair, context.images, &context.log, left, &ENDS)?;
        require(lives.audit.is_clean(), || lives.audit.to_string())?;
        machine.closing_event::<event::Ready>()
    });
    test.limit = LIMIT * 2;
    test
}

/// Most memory of a backup that waits, in bytes.
const IDLE_BYTES_MAX: u64 = 128 << 20;

/// Looks at the CPUs while the backup boots: it must be seen, or the looks that follow show nothing.
const LOOKS_BEFORE: usize = 40;

/// Rounds of looks while it is parked, and looks in each round.
const TIMES: usize = 5;
const LOOKS: usize = 60;

/// Least replies that the primary gives a client meanwhile.
const REPLIES: usize = 50;

/// No client of the takeover writes to it.
const OWN_FILE: &str = "/append?file=900000";

/// A write with fsync takes milliseconds.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

fn parked() -> Test {
    let pair = Pair {
        timeout: TIMEOUT,
        ..Pair::new("linux-parked", Series::V6_12, Series::V6_1)
    };
    let doc = "a parked Linux takes at most 128 MiB and executes nothing: no byte of them changes, \
               no CPU is on a page table in them; then it takes over";
    let mut test = Test::new("linux-parked", doc, "", move |context| {
        let machine = pair.start(context.images, &context.log, context.time_left())?;
        let outcome = wait_and_take_over(&machine, &pair)?;
        require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
        machine.closing_event::<event::Ready>()
    });
    test.limit = LIMIT;
    test
}

fn wait_and_take_over(machine: &QemuMachine, pair: &Pair) -> Result<Survived, Problem> {
    let cpus = pair.hardware.cpus as usize;
    let quarters = Quarters::of(machine)?;
    require(quarters.len_bytes() <= IDLE_BYTES_MAX, || {
        format!("the backup takes {} bytes", quarters.len_bytes())
    })?;
    let [_, backup] = pair.kernels()?;
    see_it_run(machine, &quarters, cpus, &backup.release)?;
    machine.wait_event::<event::Ready>()?;
    see_it_parked(machine, &quarters, cpus)?;
    survive(machine, pair, Death::Panic)
}

/// Checks that the evidence shows a Linux that runs; otherwise it would show nothing of one that does not.
fn see_it_run(
    machine: &QemuMachine,
    quarters: &Quarters,
    cpus: usize,
    release: &str,
) -> Result<(), Problem> {
    machine.wait_event_where(|told: &event::Userspace| told.kernel == *release)?;
    let before = Snapshot::take(machine, quarters, "booting")?;
    let looks = quarters.look(machine, cpus, LOOKS_BEFORE)?;
    let changed = before.pages_changed(&Snapshot::take(machine, quarters, "later")?)?;
    println!("linux-parked: while the backup boots: {looks}; {changed} pages change");
    require(looks.within > 0 && changed > 0, || {
        "a backup that boots is not seen to run".into()
    })
}

fn see_it_parked(machine: &QemuMachine, quarters: &Quarters, cpus: usize) -> Result<(), Problem> {
    let port = machine.port()?;
    let client = GapProbe::start(port);
    let before = Snapshot::take(machine, quarters, "before")?;
    for time in 1..=TIMES {
        let looks = quarters.look(machine, cpus, LOOKS)?;
        require_equal("page tables in the backup's memory", looks.within, 0)?;
        let reply = http::request(port, "POST", OWN_FILE, b"work", WRITE_LIMIT)
            .map_err(|error| Problem::Failed(format!("the primary does not work: {error}")))?;
        require_equal("the primary's answer", reply.status, 200)?;
        let changed = before.pages_changed(&Snapshot::take(machine, quarters, "parked")?)?;
        println!(
            "linux-parked: look {time} of {TIMES} at the parked one: {looks}; {changed} pages have changed"
        );
        require_equal("pages that have changed", changed, 0)?;
    }
    let replies = client.end().count();
    require(replies >= REPLIES, || {
        format!("the primary gave {replies} replies meanwhile")
    })
}

fn take_over(context: &TestContext<'_>, pair: &Pair, death: Death) -> Verdict {
    let (machine, outcome) = play(
        pair,
        context.images,
        &context.log,
        context.time_left(),
        death,
    )?;
    require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
    machine.closing_event::<event::Ready>()
}
