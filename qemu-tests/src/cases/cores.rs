//! Machines with many CPUs, with strange APIC ids, and with a firmware that is wrong about them.

use sharedmem::cause::Cause;
use sharedmem::event::{CoresLeftOut, CoresSilent, Plan, Protected};

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::files;
use harness::machine::{Disc, Firmware, Launch, QemuMachine};
use harness::paths;
use harness::problem::{Problem, require, require_equal};
use harness::setup::LocalSystem;
use linux_kit::iso::{self, Iso};

/// CPUs that the machine has, with APIC ids from 0 on.
const CPUS: u8 = 4;

/// An id that no CPU of the machine has, nor could have on its bus: seen in a firmware's table.
const STRANGE_ID: u32 = 0x1716_1514;

/// A CPU that can be plugged in, as the MADT says it (ACPI 6.5, table 5.21).
const ONLINE_CAPABLE: u32 = 2;

pub(super) fn tests() -> Vec<Test> {
    let doc = "the MADT lists a CPU that is not there, one twice, and the one that was booted last: the machine serves \
               with those that answer, names the other, and survives a panic";
    let mut phantom = Test::new("phantom-cpu", doc, "debug=1 failover_timeout=1s", phantom);
    // The firmware and GRUB take their time first.
    phantom.limit *= 2;
    vec![phantom, many(), scattered()]
}

/// Makes the test with 64 CPUs. On a host with two, each waits long for its turn.
fn many() -> Test {
    let doc = "64 CPUs: all of them are started, fenced at a panic, and started again";
    let line = "debug=1 failover_timeout=5s keepalive=100ms";
    let mut test = Test::new("takeover-64-cpus", doc, line, |context| {
        survive(context, 63)
    });
    test.machine.cpus = 64;
    test.limit *= 2;
    test
}

/// Makes the test with APIC ids that have gaps and go beyond 8 bits.
fn scattered() -> Test {
    let doc = "CPUs on three of four sockets, with APIC ids up to 511: all are started, fenced, and started again";
    let mut test = Test::new("apic-ids", doc, "debug=1 failover_timeout=1s", |context| {
        survive(context, 4)
    });
    test.machine.cpus = 2;
    test.machine.topology = ",maxcpus=512,sockets=4,cores=128,threads=1".into();
    for (socket, core) in [(1, 3), (2, 0), (3, 127)] {
        let cpu = format!("max-x86_64-cpu,socket-id={socket},core-id={core},thread-id=0");
        test.machine.devices.push(cpu);
    }
    test.needs_x2apic = true;
    test
}

/// Lets a machine with a primary on this many cores survive a panic.
fn survive(context: &TestContext<'_>, cores: u32) -> Verdict {
    let machine = context.boot()?;
    let plan: Plan = machine.wait_event()?;
    require_equal("CPUs found", plan.cpus, cores + 1)?;
    let first = machine.wait_serving(1)?;
    require_equal("cores of the primary", first.cores, Some(cores))?;
    machine.wait_event::<Protected>()?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let next = machine.wait_serving(2)?;
    require_equal("cores of the next primary", next.cores, Some(cores))?;
    let console = machine.console();
    require_equal("silent", console.events::<CoresSilent>().len(), 0)?;
    require_equal("left out", console.events::<CoresLeftOut>().len(), 0)?;
    machine.closing_word()
}

fn phantom(context: &TestContext<'_>) -> Verdict {
    iso::check(&LocalSystem).map_err(|problem| Problem::Skipped(problem.text().into()))?;
    let name = &context.spec.name;
    let disc = Disc {
        iso: paths::scratch(name).join("understudy.iso"),
        firmware: Firmware::Bios,
    };
    let image = files::read(&context.images.kernel)?;
    Iso::new(image, context.spec.boot_line())
        .files_of(&files::read(&context.images.archive)?)?
        .madt(wrong_madt())
        .write(name, &disc.iso)?;
    let launch = Launch::of(context.images, &context.log, context.time_left());
    let machine = QemuMachine::start_disc(&context.spec, &disc, &launch)?;

    let silent: CoresSilent = machine.wait_event()?;
    // The one that was booted is CPU 0, wherever it is listed; the others follow in the table's order.
    let silent: Vec<u32> = silent.cores.iter().collect();
    require_equal("CPUs without an answer", silent, vec![1])?;
    let plan: Plan = machine.wait_event()?;
    require_equal("CPUs in the MADT", plan.cpus, u32::from(CPUS) + 1)?;
    let serving = machine.wait_serving(1)?;
    let others = u32::from(CPUS) - 1;
    require_equal("cores of the primary", serving.cores, Some(others))?;
    for told in [
        "no answer to INIT and SIPI (APIC id 387323156): left out",
        "APIC ids 2,387323156: warning: listed twice",
        "APIC id 9: could be plugged in later",
    ] {
        let lines = machine.console().lines();
        let is_told = lines.iter().any(|line| line.contains(told));
        require(is_told, || format!("the plan does not tell: {told}"))?;
    }
    machine.wait_event::<Protected>()?;
    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let serving = machine.wait_serving(2)?;
    require_equal("cores of the next primary", serving.cores, Some(others))?;
    machine.closing_word()
}

/// Makes the MADT of a machine with [`CPUS`] CPUs, as far as CPUs and interrupt controllers go, and puts wrong entries
/// into it.
fn wrong_madt() -> Vec<u8> {
    let local_apic = |id: u8| [0, 8, id, id, 1, 0, 0, 0].to_vec();
    let x2apic = |id: u32, flags: u32| {
        let words = [id, flags, 16].map(u32::to_le_bytes);
        [&[9, 16, 0, 0][..], words.as_flattened()].concat()
    };
    let isa_irq = |irq: u8, to: u8, flags: u8| vec![2, 10, 0, irq, to, 0, 0, 0, flags, 0];
    let mut entries = vec![x2apic(STRANGE_ID, 1), x2apic(STRANGE_ID, 1)];
    entries.extend((1..CPUS).map(local_apic));
    entries.extend([local_apic(2), x2apic(9, ONLINE_CAPABLE), local_apic(0)]);
    entries.push(vec![1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    entries.push(isa_irq(0, 2, 0));
    entries.extend([5, 9, 10, 11].map(|irq| isa_irq(irq, irq, 0b1101)));

    let mut table = b"APIC\0\0\0\0\x01\0UNDSTYTESTMADT\x01\0\0\0TEST\x01\0\0\0".to_vec();
    table.extend(0xfee0_0000_u32.to_le_bytes());
    table.extend(1_u32.to_le_bytes());
    table.extend(entries.concat());
    let length = table.len() as u32;
    table[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = 0_u8.wrapping_sub(sum);
    table
}
