//! The pages of a slice: the largest that there are.

use std::thread;
use std::time::{Duration, Instant};

use compute_slice::operator::Orders;
use compute_slice::operator::answer::ResultText;
use hpc_tests::operator::NetworkOrders;
use sharedmem::abi::DIRECT_BASE;
use sharedmem::event::ComputeEntered;
use sharedmem::mailbox::ComputeOrder;

use super::start_with_node;
use crate::suite::{Test, TestContext, Verdict};
use debugger::Debugger;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// A slice that begins 32 MiB below a whole GiB.
const LINE: &str = "admin=1 \"compute=big:/boot/compute-node,cpus=3,mem=1056M@0x13e000000,stall=60s,\
    args=sweep n=300 steps=1000000 verify=off\"";
const GIB_START: u64 = 0x1_4000_0000;

/// In the data, in front of that.
const BEFORE: u64 = GIB_START - (4 << 20);

/// An element of the result, in bytes from its beginning; the result's first place ends at about 270 MiB of the GiB.
const POSITION: u64 = 200 << 20;

/// Steps to be made before anything is looked at.
const STEPS: u64 = 2;

/// How long they may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn tests() -> Vec<Test> {
    let mut test = Test::new(
        "compute-huge-pages",
        "a slice with a whole GiB in it maps that by one page, and the rest by pages of 2 MiB; what is computed there \
         is right",
        LINE,
        huge_pages,
    );
    test.machine.memory = "4G".into();
    test.limit = Duration::from_secs(180);
    vec![test]
}

fn huge_pages(context: &TestContext<'_>) -> Verdict {
    let machine = start_with_node(context)?;
    machine.wait_event::<ComputeEntered>()?;
    wait_for_steps(&machine)?;
    let mut debugger = Debugger::attach(&machine)?;
    for (address, levels) in [(GIB_START, 2), (BEFORE, 3)] {
        let entries = debugger.page_entries(3, DIRECT_BASE + address)?;
        require_equal(&format!("levels of {address:#x}"), entries.len(), levels)?;
        let physical = debugger.physical(3, DIRECT_BASE + address + 0x1234_5678 % (2 << 20))?;
        let expected = address + 0x1234_5678 % (2 << 20);
        require_equal("physical address", physical, expected)?;
    }
    drop(debugger);
    machine.closing_word()
}

/// Waits until some steps are made; checks that each element is the number of the step.
fn wait_for_steps(machine: &QemuMachine) -> Result<(), Problem> {
    let mut orders = NetworkOrders(machine.port()?);
    let until = Instant::now() + LIMIT;
    loop {
        let piece = orders.give(ComputeOrder::Result, &format!("big data {POSITION}"));
        let piece = piece.ok().and_then(|answer| ResultText::parse(&answer));
        if let Some(piece) = piece.filter(|it| it.step >= STEPS) {
            let (elements, _) = piece.bytes.as_chunks::<8>();
            let expected = (piece.step as f64).to_le_bytes();
            return require(elements.iter().all(|it| *it == expected), || {
                format!("step {} has {:?}", piece.step, piece.bytes)
            });
        }
        if Instant::now() > until {
            return Err(Problem::TimedOut("no steps are made".into()));
        }
        thread::sleep(Duration::from_millis(200));
    }
}
