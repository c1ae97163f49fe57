//! Machines of all kinds boot, serve, and survive a panic.

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
            die_and_check(&machine, "DEBUG PANIC", "panic")?;
            machine.closing_word()
        },
    );
    tests.push(pc.on(|machine| machine.chipset = Chipset::Pc));
    tests
}

fn survive(context: &TestContext<'_>, mode: &str) -> Verdict {
    let machine = context.boot()?;
    check_plan(&machine, mode, context.spec.cpus)?;
    let takeover = die_and_check(&machine, "DEBUG PANIC", "panic")?;
    require_equal("the journal's findings", takeover.findings, 0)?;
    let cores = machine.wait_serving(2)?.number("cores")?;
    require_equal(
        "cores of the new primary",
        cores,
        u64::from(context.spec.cpus) - 1,
    )?;
    machine
        .console()
        .wait_for_event("unprotected", context.time_left(), |_| true)?;
    let closing_word = machine.closing_word()?;
    machine.end();
    let records = disk::records(machine.disk())?;
    let is_told = records.len() == 1 && records[0].contains("event=takeover epoch=2 cause=panic");
    require(is_told, || format!("the incident disk has {records:?}"))?;
    Ok(closing_word)
}

fn check_plan(machine: &QemuMachine, mode: &str, cpus: u32) -> Result<(), Problem> {
    let plan = machine
        .console()
        .wait_for_event("plan", machine.time_left(), |_| true)?;
    require_equal("the APIC mode", plan.text("mode")?, mode)?;
    require_equal("CPUs found", plan.number("cpus")?, cpus.into())?;
    let serving = machine.wait_serving(1)?;
    require_equal(
        "cores of the primary",
        serving.number("cores")?,
        u64::from(cpus) - 1,
    )?;
    require_equal("the first primary", serving.text("instance")?, "a")
}
