//! A computation beside a Linux that dies: it does not notice.

use std::thread;
use std::time::{Duration, Instant};

use compute::testing::Block;
use compute_slice::operator::JobEnd;
use sharedmem::event;
use sharedmem::event::ComputeEnded;

use super::node;
use crate::suite::{Test, TestContext, Verdict};
use harness::linux::http;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};
use linux_kit::packages::Series;
use linux_tests::order;
use linux_tests::takeover::{Death, survive};
use linux_tests::tenants::Pair;

/// What is computed while a Linux dies, by two ranks.
const JOB: &str = "lj n=5 steps=3000";
const STEPS: u64 = 3000;

/// A short job at the boot; the machine's other two CPUs are the seat and the Linux's.
const SLICE: &str =
    "\"compute=md:/boot/compute-node,cpus=2-3,mem=32M,stall=20s,args=lj n=3 steps=5\"";

/// The file that the result goes to.
const RESULT_FILE: u64 = 900_001;

/// How long the service may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at the job.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn tests() -> Vec<Test> {
    let doc = "a Linux starts a job in a slice and panics: the computation is entered once, makes every step, and the \
               next Linux reads from it bit by bit what it finds on the host";
    let mut test = Test::new("hpc-linux", doc, "", beside_linux);
    test.limit = Duration::from_secs(300);
    vec![test]
}

fn beside_linux(context: &TestContext<'_>) -> Verdict {
    let node = node()?;
    let pair = Pair {
        timeout: Duration::from_millis(500),
        append: SLICE.into(),
        files: vec![("boot/compute-node".into(), node)],
        ..Pair::new("hpc-linux", Series::V6_12, Series::V6_1)
    };
    let machine = pair.start(context.images, &context.log, context.time_left())?;
    machine.wait_event::<event::Ready>()?;
    let short = machine.wait_event_where(|it: &ComputeEnded| it.generation == 1)?;
    require_equal("exit code", short.exit_code, Some(0))?;
    let list = ordered(&machine, "compute list")?;
    let told = "md finished, entry 1, step 5 committed, exit code 0";
    require_equal("list", list, vec![told.to_owned()])?;
    let refused = order::give(&machine, "compute stop none")?;
    let is_told = refused.exit == 1 && refused.lines.concat().contains("there is md");
    require(is_told, || format!("an order to nobody: {refused:?}"))?;

    ordered(&machine, &format!("compute start md {JOB}"))?;
    let before = committed(&machine)?;
    let outcome = survive(&machine, &pair, Death::Panic)?;
    require(outcome.audit.is_clean(), || outcome.audit.to_string())?;
    let after = committed(&machine)?;
    require(before < after && after < STEPS, || {
        format!("steps before and after the takeover: {before}, {after}, of {STEPS}")
    })?;
    let expected = format!("md finished, entry 2, step {STEPS} committed, exit code 0");
    require_equal("the job's end", ended(&machine)?, expected)?;
    read_result(&machine)?;
    machine.closing_event::<event::Ready>()
}

/// Lets the next Linux read log and result, and compares both with the host's.
fn read_result(machine: &QemuMachine) -> Result<(), Problem> {
    let log = ordered(machine, "compute log md")?;
    let is_told = log.iter().any(|line| line.starts_with("lj n=5 momentum="));
    require(is_told, || format!("the log is {log:?}"))?;
    let order = format!("compute result md positions /data/{RESULT_FILE}");
    let told = ordered(machine, &order)?;
    let expected = format!("positions: 3000 bytes of step {STEPS}");
    require_equal("what it says", told, vec![expected])?;
    let target = format!("/file?file={RESULT_FILE}");
    let reply = http::request(machine.port()?, "GET", &target, b"", LIMIT)
        .map_err(|error| Problem::Failed(format!("{target}: {error}")))?;

    let block = Block::new(2, 8 << 20);
    let exit = block.run(|rank| solvers::run(rank, JOB));
    require_equal("exit code on the host", exit, Some(0))?;
    let positions = block.result::<[f64; 3]>("positions");
    let expected: Vec<u8> = positions
        .iter()
        .flatten()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    require(reply.body == expected, || {
        "the result is not that of an undisturbed run".into()
    })
}

/// Gives an order that is carried out. Returns what was printed.
fn ordered(machine: &QemuMachine, line: &str) -> Result<Vec<String>, Problem> {
    let outcome = order::give(machine, line)?;
    require(outcome.exit == 0, || format!("{line}: {outcome:?}"))?;
    Ok(outcome.lines)
}

/// Waits for the end of the job. Returns its state.
fn ended(machine: &QemuMachine) -> Result<String, Problem> {
    let until = Instant::now() + machine.time_left();
    loop {
        let state = ordered(machine, "compute status md")?.concat();
        if JobEnd::of(&state).is_some() || Instant::now() > until {
            return Ok(state);
        }
        thread::sleep(LOOK);
    }
}

/// Returns the last committed step of the job that runs. It has none at first.
fn committed(machine: &QemuMachine) -> Result<u64, Problem> {
    let until = Instant::now() + LIMIT;
    loop {
        let state = ordered(machine, "compute status md")?.concat();
        let step = state
            .strip_prefix("md running, entry 2, step ")
            .and_then(|rest| rest.strip_suffix(" committed"))
            .and_then(|step| step.parse().ok());
        match step {
            Some(step) => return Ok(step),
            None if Instant::now() > until => {
                return Err(Problem::Failed(format!("the state is {state}")));
            }
            None => thread::sleep(LOOK),
        }
    }
}
