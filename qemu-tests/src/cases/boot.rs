//! Machines of all kinds boot, serve, and survive a panic.

use sharedmem::Instance;
use sharedmem::cause::Cause;
use sharedmem::event::{self, Event};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::disk;
use harness::machine::{Chipset, QemuMachine};
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (mode, cpu) in [("x2apic", "max"), ("xapic", "qemu64")] {
        for cpus in [2, 4, 8] {
            let doc = format!(
                "{cpus} CPUs in {mode} mode: boots, and survives a panic with all that was acknowledged"
            );
            let mut test = Test::new(
                format!("takeover-{mode}-{cpus}"),
                doc,
                "debug=1",
                move |context| survive(context, mode),
            );
            test.machine.cpus = cpus;
            test.machine.cpu = cpu.into();
            test.needs_x2apic = mode == "x2apic";
            if cpus == 8 {
                // Many cores on a host with two: a core may wait long for its turn.
                test.machine = test.machine.append("failover_timeout=1s");
            }
            tests.push(test);
        }
    }
    let pc = Test::new(
        "takeover-pc",
        "the older chipset: boots, and survives a panic",
        "debug=1",
        |context| {
            let machine = context.boot()?;
            die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
            machine.closing_word()
        },
    );
    tests.push(pc.on(|machine| machine.chipset = Chipset::Pc));
    tests
}

fn survive(context: &TestContext<'_>, mode: &str) -> Verdict {
    let machine = context.boot()?;
    check_plan(&machine, mode, context.spec.cpus)?;
    let takeover = die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    require_equal("the journal's findings", takeover.event.findings, 0)?;
    let cores = machine.wait_serving(2)?.cores;
    require_equal(
        "cores of the new primary",
        cores,
        Some(context.spec.cpus - 1),
    )?;
    machine.wait_event::<event::Unprotected>()?;
    let closing_word = machine.closing_word()?;
    machine.end();
    let lines = disk::lines(machine.disk())?;
    let is_told = match &lines[..] {
        [line, epitaph] => {
            event::Takeover::parse(line) == Ok(takeover.event)
                && event::EpitaphFound::parse(epitaph).is_ok()
        }
        _ => false,
    };
    require(is_told, || format!("the incident disk has {lines:?}"))?;
    Ok(closing_word)
}

fn check_plan(machine: &QemuMachine, mode: &str, cpus: u32) -> Result<(), Problem> {
    let plan: event::Plan = machine.wait_event()?;
    require_equal("x2APIC mode", plan.x2apic, mode == "x2apic")?;
    require_equal("CPUs found", plan.cpus, cpus)?;
    let serving = machine.wait_serving(1)?;
    require_equal("cores of the primary", serving.cores, Some(cpus - 1))?;
    require_equal("the first primary", serving.instance, Instance::A)
}
