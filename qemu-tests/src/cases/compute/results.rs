//! What a computation says is read while the machine serves: its log, its results, its exit code.

use std::time::Duration;

use compute::testing::Block;
use compute_slice::operator::{self, JobEnd, LogReader};
use hpc_tests::operator::{NetworkOrders, pause};
use sharedmem::event::{ComputeEnded, ComputeRests};

use super::start_with_node;
use crate::suite::{Test, TestContext, Verdict};
use harness::problem::{require, require_equal};

/// What is solved first, by two ranks.
const JOB: &str = "cg n=8 steps=30";

const LINE: &str = "debug=1 admin=1 failover_timeout=2s \
    \"compute=cg:/boot/compute-node,cpus=2-3,mem=16M@0x10000000,stall=20s,args=cg n=8 steps=30\"";

pub(super) fn tests() -> Vec<Test> {
    let mut test = Test::new(
        "compute-results",
        "the operator reads the log and a result of a computation, which are those of the host; a job that outgrows \
         its scratch memory fails with a word and is not entered again; the next one's exit code is told",
        LINE,
        results,
    );
    test.limit = Duration::from_secs(180);
    vec![test]
}

fn results(context: &TestContext<'_>) -> Verdict {
    let machine = start_with_node(context)?;
    machine.wait_event::<ComputeRests>()?;
    let mut orders = NetworkOrders(machine.port()?);

    let mut lines = Vec::new();
    let mut log = LogReader::new("cg");
    log.read(&mut orders, |line| lines.push(line.to_owned()))?;
    let is_told = lines
        .iter()
        .any(|line| line.starts_with("cg n=8 steps=30 residual="));
    require(is_told, || format!("the log is {lines:?}"))?;
    let block = Block::new(2, 8 << 20);
    let exit = block.run(|rank| solvers::run(rank, JOB));
    require_equal("exit code on the host", exit, Some(0))?;
    let x = block.result::<f64>("x");
    let expected: Vec<u8> = x.iter().flat_map(|it| it.to_le_bytes()).collect();
    let found = operator::result(&mut orders, "cg", "x")?;
    require_equal("step", found.step, 30)?;
    require(found.bytes == expected, || {
        "the result is not the host's".into()
    })?;
    let missing = operator::result(&mut orders, "cg", "y");
    require(missing.is_err(), || {
        "a region that is not there was read".into()
    })?;

    let large = ["stream".into(), "n=4000000".into()];
    let mut log = operator::start(&mut orders, "cg", &large)?;
    let end = log.wait(&mut orders, |_| (), pause)?;
    let is_failed = matches!(&end, JobEnd::Other(state) if state.starts_with("cg failed, entry 2"));
    require(is_failed, || format!("it ended so: {end:?}"))?;
    let ended = machine.wait_event_where(|it: &ComputeEnded| it.generation == 2)?;
    let message = ended.message.map(|it| it.to_string()).unwrap_or_default();
    require(
        message.contains("bytes of scratch memory are needed"),
        || message,
    )?;

    // It is not solved after so few steps.
    let short = ["cg".into(), "n=16".into(), "steps=3".into()];
    let mut log = operator::start(&mut orders, "cg", &short)?;
    let end = log.wait(&mut orders, |_| (), pause)?;
    require_equal("end", end, JobEnd::Finished(1))?;
    machine.closing_word()
}
