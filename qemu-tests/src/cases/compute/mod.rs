//! Slices for computations: what dies beside one does not stop it, and what dies in one goes on.

mod c_program;
mod linux;
mod pages;
mod rank;
mod results;
mod solver;

use std::time::Duration;

use compute_slice::SliceEntry;
use sharedmem::cause::Cause;
use sharedmem::event::{
    ComputeEnded, ComputeEntered, ComputeKept, ComputeRefused, ComputeRests, Protected,
    ResetSurvived, Takeover,
};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use debugger::{Debugger, Space};
use harness::archive::ArchiveWriter;
use harness::client;
use harness::files;
use harness::images::{BACKUP_PATH, PRIMARY_PATH};
use harness::machine::QemuMachine;
use harness::operator;
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use rank::{EXIT_CODE, Fault, Job, RANK_BYTES};

/// Where the slice is, on the boot line and in physical memory.
const SLICE: u64 = 0x1000_0000;
/// Where its control block says where the data begins.
const DATA_START: u64 = 0x30;
const RANKS: u64 = 2;

/// The boot line: two of the machine's three other CPUs compute.
const LINE: &str =
    "debug=1 failover_rearm=auto compute=count:/boot/count,cpus=2-3,mem=16M@0x10000000";

/// A job that takes some seconds.
const LONG: Job = Job {
    steps: 300,
    rounds: 1_000_000,
    fault: Fault::None,
    fault_step: 0,
    fault_entries: 0,
};

/// Returns the image of the kernel of a slice with the solvers in it.
fn node() -> Result<Vec<u8>, Problem> {
    files::read(&paths::artifacts().join("compute-node"))
}

/// Boots a machine with that image, and waits until it is protected.
fn start_with_node(context: &TestContext<'_>) -> Result<QemuMachine, Problem> {
    let instance = &context.images.instance;
    let archive = ArchiveWriter::default()
        .image(PRIMARY_PATH, instance)
        .image(BACKUP_PATH, instance)
        .image("/boot/compute-node", &node()?);
    let machine = context.start_with(archive)?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    Ok(machine)
}

pub(super) fn tests() -> Vec<Test> {
    let test = |name: &str, doc: &str, body: fn(&TestContext<'_>) -> Verdict| {
        let mut test = Test::new(name, doc, LINE, body);
        test.limit = Duration::from_secs(120);
        test
    };
    let deaths = [
        ("dies", Fault::Dies, "died"),
        ("hangs", Fault::Hangs, "stalled"),
        ("halts", Fault::Halts, "stalled"),
    ];
    let mut tests = vec![
        test(
            "compute-takeover",
            "a primary panics beside a computation, and so does the next one: no core of the computation is struck, \
             it is entered once, and its result is right",
            takeover,
        ),
        test(
            "compute-given-up",
            "a computation dies at one step again and again: it is given up, and the machine stays protected",
            given_up,
        ),
        test(
            "compute-operated",
            "the operator lists the slices, stops one and starts it anew, and its result is right",
            operated,
        )
        .on(|machine| machine.append += " admin=1"),
        test(
            "compute-bad-image",
            "a slice whose image is missing, or is no compute image, is refused by name; the machine serves and is \
             protected",
            bad_image,
        ),
        test(
            "compute-reset",
            "the reset button is pressed in the middle of a computation: it goes on behind its last committed step, \
             its result is right, and after another reset it is still there",
            reset,
        )
        .on(|machine| machine.may_reset = true),
    ];
    tests.extend(deaths.map(|(name, fault, why)| {
        let doc = format!(
            "every rank of a computation {name} in the middle, in two entries: each time it is fenced alone and goes \
             on behind its last committed step, and its result is right"
        );
        Test::new(format!("compute-{name}"), doc, LINE, move |context| {
            own_death(context, fault, why)
        })
    }));
    tests.extend(solver::tests());
    tests.extend(results::tests());
    tests.extend(linux::tests());
    tests.extend(c_program::tests());
    tests.extend(pages::tests());
    tests
}

/// Boots the test's machine with the image of this job.
fn boot(context: &TestContext<'_>, job: &Job) -> Result<QemuMachine, Problem> {
    let instance = &context.images.instance;
    let archive = ArchiveWriter::default()
        .image(PRIMARY_PATH, instance)
        .image(BACKUP_PATH, instance)
        .image("/boot/count", &job.image());
    let machine = context.start_with(archive)?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    Ok(machine)
}

/// Waits for the end of a job, and compares its result with the host's.
fn check_result(machine: &QemuMachine, job: &Job) -> Result<(), Problem> {
    let end = machine.wait_event_where(|it: &ComputeEnded| it.why == "finished")?;
    require_equal("exit code", end.exit_code, Some(EXIT_CODE))?;
    require_equal("last step", end.committed, Some(job.steps - 1))?;
    machine.wait_event::<ComputeRests>()?;
    let mut debugger = Debugger::attach(machine)?;
    let data = debugger.word(Space::Physical, SLICE + DATA_START)?;
    for rank in 0..RANKS {
        let place = SLICE + data + rank * RANK_BYTES + (job.steps - 1) % 2 * 8;
        let value = debugger.word(Space::Physical, place)?;
        require_equal(&format!("value of rank {rank}"), value, job.value(rank))?;
    }
    Ok(())
}

fn entries(machine: &QemuMachine) -> Vec<(u64, SliceEntry)> {
    let entered = machine.console().events::<ComputeEntered>();
    entered.iter().map(|it| (it.generation, it.entry)).collect()
}

fn takeover(context: &TestContext<'_>) -> Verdict {
    let machine = boot(context, &LONG)?;
    machine.wait_event::<ComputeEntered>()?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let is_ended = !machine.console().events::<ComputeEnded>().is_empty();
    require(!is_ended, || {
        "the computation ended before the takeover did".into()
    })?;
    check_result(&machine, &LONG)?;
    require_equal("entries", entries(&machine), vec![(1, SliceEntry::Fresh)])?;
    machine.closing_word()
}

fn own_death(context: &TestContext<'_>, fault: Fault, why: &str) -> Verdict {
    let job = Job {
        steps: 60,
        rounds: 200_000,
        fault,
        fault_step: 20,
        fault_entries: 2,
    };
    let machine = boot(context, &job)?;
    check_result(&machine, &job)?;
    let ends = machine.console().events::<ComputeEnded>();
    for (index, end) in ends.iter().take(2).enumerate() {
        require_equal("why", end.why.as_str(), why)?;
        require_equal("generation", end.generation, index as u64 + 1)?;
        require_equal("committed", end.committed, Some(19))?;
    }
    let expected = vec![
        (1, SliceEntry::Fresh),
        (2, SliceEntry::Resume),
        (3, SliceEntry::Resume),
    ];
    require_equal("entries", entries(&machine), expected)?;
    require_equal("takeovers", machine.console().events::<Takeover>().len(), 0)?;
    machine.closing_word()
}

/// Lets the operator look at a job, stop it, and start it anew.
fn operated(context: &TestContext<'_>) -> Verdict {
    let machine = boot(context, &LONG)?;
    let port = machine.port()?;
    let list = operator::compute(port, &[b"LIST"])?;
    require_equal("names", list.as_str(), "count")?;
    let state = operator::compute(port, &[b"STATUS", b"count"])?;
    require(state.starts_with("count running, entry 1"), || state)?;
    let stopped = operator::compute(port, &[b"STOP", b"count"])?;
    require(stopped.starts_with("count stopping"), || stopped)?;
    let rests = machine.wait_event::<ComputeRests>()?;
    require_equal("why", rests.why.as_str(), "stopped")?;
    let unknown = operator::compute(port, &[b"STATUS", b"none"]);
    require(unknown.is_err(), || {
        "a slice that is not there has a status".into()
    })?;
    operator::compute(port, &[b"START", b"count", b"anew"])?;
    check_result(&machine, &LONG)?;
    let expected = vec![(1, SliceEntry::Fresh), (2, SliceEntry::Fresh)];
    require_equal("entries", entries(&machine), expected)?;
    let status = operator::compute(port, &[b"STATUS", b"count"])?;
    let told = "count finished, entry 2, step 299 committed, exit code 7";
    require_equal("status", status.as_str(), told)?;
    machine.closing_word()
}

fn given_up(context: &TestContext<'_>) -> Verdict {
    let job = Job {
        steps: 60,
        rounds: 1000,
        fault: Fault::Dies,
        fault_step: 20,
        fault_entries: u64::MAX,
    };
    let machine = boot(context, &job)?;
    let rests = machine.wait_event::<ComputeRests>()?;
    require_equal("why", rests.why.as_str(), "given-up")?;
    require_equal("entries", entries(&machine).len(), 4)?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    machine.closing_word()
}

fn bad_image(context: &TestContext<'_>) -> Verdict {
    let instance = &context.images.instance;
    let archive = || {
        ArchiveWriter::default()
            .image(PRIMARY_PATH, instance)
            .image(BACKUP_PATH, instance)
    };
    refused(
        context,
        archive(),
        "there is no /boot/count in the boot archive",
    )?;
    let native = archive().image("/boot/count", instance);
    refused(context, native, "it has no note")
}

/// Boots this archive and checks that its slice is refused for this reason, and nothing else is worse for it.
fn refused(context: &TestContext<'_>, archive: ArchiveWriter, reason: &str) -> Verdict {
    let machine = context.start_with(archive)?;
    machine.wait_serving(1)?;
    machine.wait_event::<Protected>()?;
    let refused = machine.wait_event::<ComputeRefused>()?;
    require(refused.reason.as_str().contains(reason), || {
        format!("it says {}", refused.reason)
    })?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    machine.closing_word()
}

fn reset(context: &TestContext<'_>) -> Verdict {
    let machine = boot(context, &LONG)?;
    machine.control()?.reset()?;
    machine.wait_event::<ResetSurvived>()?;
    let kept: ComputeKept = machine.wait_event()?;
    require(kept.committed.is_some(), || "no step was kept".into())?;
    check_result(&machine, &LONG)?;
    let expected = vec![(1, SliceEntry::Fresh), (2, SliceEntry::Resume)];
    require_equal("entries", entries(&machine), expected)?;
    machine.control()?.reset()?;
    machine.wait_event_where(|it: &ComputeKept| it.committed == Some(LONG.steps - 1))?;
    check_result(&machine, &LONG)?;
    require_equal("entries", entries(&machine).len(), 2)?;
    // What is typed before the primary reads its serial port is lost.
    client::inject(machine.port()?, "PING")?;
    machine.closing_word()
}
