//! A machine is qualified: it is measured, its primaries die by themselves, and the report says what was found.

use sharedmem::event::Qualified;

use crate::campaigns::qualify::wait_for_report;
use crate::suite::{Test, TestContext, Verdict};
use harness::problem::{require, require_equal};

/// Each kind of death twice.
const TAKEOVERS: u32 = 6;

pub(super) fn tests() -> Vec<Test> {
    let mut test = Test::new(
        "qualify",
        "a machine is measured, dies by every cause by itself, checks its state and reports; no device is touched",
        &format!("failover_rearm=auto qualify={TAKEOVERS}"),
        qualified,
    );
    test.limit *= 2;
    let mut denied = Test::new(
        "qualify-iommu",
        "on a machine with an IOMMU, each takeover's denial of all DMA is measured and reported",
        &format!("failover_rearm=auto qualify={TAKEOVERS}"),
        |context| {
            let machine = context.start(&context.spec)?;
            let report = wait_for_report(machine.console(), machine.time_left())?;
            require_equal("an IOMMU in use", report.is_iommu_used, true)?;
            require_equal("denials", report.dma_denial_ns.count, TAKEOVERS)?;
            require(report.dma_denial_ns.p50 > 0, || "no time passed".into())?;
            let found: Qualified = machine.wait_event()?;
            require_equal("the verdict", found.passed, true)?;
            machine.closing_event::<Qualified>()
        },
    );
    denied.limit *= 2;
    denied.machine.iommu = "intel-iommu,intremap=on".into();
    vec![test, denied]
}

fn qualified(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    let report = wait_for_report(machine.console(), machine.time_left())?;
    let found: Qualified = machine.wait_event()?;
    require_equal("the verdict", found.passed, true)?;
    require_equal("takeovers", report.takeovers, TAKEOVERS)?;
    require_equal("CPUs", report.cpus, context.spec.cpus)?;
    require_equal("wrong replies", report.wrong, 0)?;
    require_equal("denials of DMA", report.dma_denial_ns.count, 0)?;
    let measured = [
        ("starts of cores", report.startup_us, 3 * 8),
        ("interrupts", report.interrupt_ns, 3 * 64),
        ("fences", report.fence_us, TAKEOVERS),
        ("takeovers", report.serving_us, TAKEOVERS),
        ("panics", report.causes[0].detect_us, TAKEOVERS / 3),
        ("hangs", report.causes[1].detect_us, TAKEOVERS / 3),
        ("hung loops", report.causes[2].detect_us, TAKEOVERS / 3),
    ];
    for (what, summary, count) in measured {
        require_equal(what, summary.count, count)?;
        require(summary.p50 > 0, || format!("{what}: no time passed"))?;
    }
    let is_touched = machine.control()?.is_virtio_driven("net")?;
    require(!is_touched, || "the network card was touched".into())?;
    machine.closing_event::<Qualified>()
}
