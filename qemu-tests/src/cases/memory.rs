//! Machines with much memory, and with what firmware may leave behind in how it is mapped.

use debugger::Debugger;
use sharedmem::cause::Cause;

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::problem::require;

/// 5-level paging in CR4 (Intel SDM vol. 3A, 2.5).
const LA57: u64 = 1 << 12;

/// The CPU that boots, as the debugger numbers it.
const FIRST_CPU: usize = 0;

pub(super) fn tests() -> Vec<Test> {
    let mut large = Test::new(
        "memory-5t",
        "a native primary gets all memory of a machine where it ends above 4 TiB, and survives a panic",
        "debug=1",
        much_memory,
    );
    // Nothing is taken from the host before it is used. Below the 1-TiB line there are 2 GiB, as on AMD's machines.
    large.machine.memory = "5T".into();
    large.machine.cpu = "max,phys-bits=46".into();
    large.machine.board = vec!["memory-backend=m"];
    let backend = "memory-backend-ram,id=m,size=5T,reserve=off";
    large.machine.emulator = ["-object", backend].map(String::from).into();
    let mut five_levels = Test::new(
        "five-level-paging",
        "a machine whose firmware left 5-level paging on boots, and survives a panic",
        "debug=1",
        left_on,
    );
    five_levels.machine.emulator = vec!["-S".into()];
    vec![large, five_levels]
}

fn much_memory(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    machine.wait_serving(1)?;
    let lines = machine.console().lines();
    let is_told = |text: &str| {
        lines
            .iter()
            .any(|line| line.contains("plan: ") && line.contains(text))
    };
    require(is_told("0x10000000000-0x5ff80000000"), || {
        "the primary has not all that is above 1 TiB".into()
    })?;
    let is_lost = is_told("pieces of memory") || is_told("no kernel here reaches it");
    require(!is_lost, || "memory is left over".into())?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    machine.closing_word()
}

/// Switches 5-level paging on before the firmware's first instruction: neither it nor what loads the monitor knows it.
fn left_on(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    let mut debugger = Debugger::attach(&machine)?;
    debugger.set_register(FIRST_CPU, "cr4", LA57)?;
    let cr4 = debugger.register(FIRST_CPU, "cr4")?;
    require(cr4 & LA57 != 0, || format!("CR4 is {cr4:#x}"))?;
    drop(debugger);
    machine.control()?.resume()?;
    machine.wait_serving(1)?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    machine.closing_word()
}
