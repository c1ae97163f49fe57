//! The kernel of a slice with a real solver in it: what comes out is what the same solver makes on the host.

use std::thread;
use std::time::Duration;

use compute::testing::Block;
use sharedmem::event::{ComputeEnded, ComputeEntered};

use super::start_with_node;
use crate::suite::{Test, TestContext, Verdict};
use debugger::{Debugger, Space};
use harness::problem::{require, require_equal};

/// What is solved, by two ranks: long enough for two deaths in the middle. The number of steps is even.
const JOB: &str = "cg n=48 steps=150";
const LINE: &str = "debug=1 failover_timeout=2s \
    \"compute=cg:/boot/compute-node,cpus=2-3,mem=64M@0x10000000,stall=20s,args=cg n=48 steps=150\"";
const SLICE: u64 = 0x1000_0000;

/// The first result in the control block: its place in even steps, and its length.
const RESULT_OFFSET: u64 = SLICE + 0x1_0508;
const RESULT_BYTES: u64 = RESULT_OFFSET + 16;

/// Nothing is mapped there.
const NOWHERE: u64 = 0x1234;

/// How long a computation runs before it is killed.
const LIFE: Duration = Duration::from_millis(700);

pub(super) fn tests() -> Vec<Test> {
    let mut test = Test::new(
        "compute-solver",
        "conjugate gradients on two ranks die by a page fault on one, and then on the other: what they find is bit by \
         bit what the host finds without a death",
        LINE,
        solver,
    );
    test.limit = Duration::from_secs(240);
    vec![test]
}

fn solver(context: &TestContext<'_>) -> Verdict {
    let machine = start_with_node(context)?;
    for (generation, cpu) in [(1, 2), (2, 3)] {
        machine.wait_event_where(|it: &ComputeEntered| it.generation == generation)?;
        thread::sleep(LIFE);
        Debugger::attach(&machine)?.jump(cpu, NOWHERE)?;
        let end = machine.wait_event_where(|it: &ComputeEnded| it.generation == generation)?;
        require_equal("why", end.why.as_str(), "died")?;
        require(end.committed.is_some(), || "nothing was committed".into())?;
        require_equal("rank", end.rank, Some(cpu as u64 - 2))?;
        require_equal("vector", end.vector, Some(14))?;
    }
    let end = machine.wait_event_where(|it: &ComputeEnded| it.generation == 3)?;
    require_equal("why", end.why.as_str(), "finished")?;
    require_equal("exit code", end.exit_code, Some(0))?;

    let block = Block::new(2, 16 << 20);
    let exit = block.run(|rank| solvers::run(rank, JOB));
    require_equal("exit code on the host", exit, Some(0))?;
    let expected = block.result::<f64>("x");
    let mut debugger = Debugger::attach(&machine)?;
    let offset = debugger.word(Space::Physical, RESULT_OFFSET)?;
    let bytes = debugger.word(Space::Physical, RESULT_BYTES)?;
    require_equal("length", bytes, 8 * expected.len() as u64)?;
    let found = debugger.read(Space::Physical, SLICE + offset, bytes as usize)?;
    let (found, _) = found.as_chunks::<8>();
    let found = found.iter().map(|it| u64::from_le_bytes(*it));
    let is_same = found.eq(expected.iter().map(|it| it.to_bits()));
    require(is_same, || "it found something else than the host".into())?;
    drop(debugger);
    machine.closing_word()
}
