//! Linux tenants whose operator ends them: an ordered end is no death.

use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use sharedmem::event;

use crate::suite::{Test, Verdict};
use harness::machine::{ClosingWord, QemuMachine};
use harness::problem::{Problem, require};
use linux_kit::packages::Series;
use linux_tests::campaigns::lives::{self, KernelEnd};
use linux_tests::takeover::{self, Death};
use linux_tests::tenants::Pair;

/// Two kernels boot one after the other, and some of them again.
const LIMIT: Duration = Duration::from_secs(360);

/// Longer than a takeover takes, and than the monitor waits for a primary that is to power the machine off.
const LONG: Duration = Duration::from_secs(20);

/// A test may have to share its host.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) fn tests() -> Vec<Test> {
    vec![
        test(
            "linux-restarts",
            "a Linux restarts by Ctrl-Alt-Del, and by kexec, which is told; then it powers the machine off by itself",
            |machine| {
                let said = "kexec: a kernel from there would not know its resources";
                (machine.console()).wait_for("the word on kexec", Duration::ZERO, |line| {
                    line.contains(said).then_some(())
                })?;
                let status = power_off(machine)?;
                require(
                    status.success() && machine.console().events::<event::PowerOff>().is_empty(),
                    || format!("the machine went off otherwise: {status}"),
                )?;
                ClosingWord::of(machine.console())
            },
            &[KernelEnd::Keys, KernelEnd::Kexec],
        ),
        test(
            "linux-power-off",
            "a Linux that has taken over is told to power the machine off, and the monitor does it",
            |machine| {
                let status = power_off(machine)?;
                require(status.success(), || format!("the machine ended: {status}"))?;
                machine.closing_event::<event::PowerOff>()
            },
            &[KernelEnd::Death(Death::Panic)],
        ),
        test(
            "linux-halt",
            "a Linux is told to halt: nobody takes over, and the machine stays on",
            |machine| {
                takeover::end(machine.port()?, "halt")?;
                machine.wait_event::<event::Stopped>()?;
                thread::sleep(LONG);
                require(
                    machine
                        .console()
                        .events::<event::TakeoverBegan>()
                        .is_empty(),
                    || "somebody takes over".into(),
                )?;
                require(machine.control()?.status()? == "running", || {
                    "the machine does not run".into()
                })?;
                machine.closing_event::<event::Stopped>()
            },
            &[],
        ),
    ]
}

/// Makes a test of a machine that goes through `ends`, and is protected again; then it is looked at.
fn test(
    name: &str,
    doc: &str,
    end: fn(&QemuMachine) -> Verdict,
    ends: &'static [KernelEnd],
) -> Test {
    let pair = Pair {
        timeout: TIMEOUT,
        append: "failover_rearm=auto".into(),
        ..Pair::new(name, Series::V6_12, Series::V6_1)
    };
    let mut test = Test::new(name, doc, "", move |context| {
        let left = context.time_left();
        let (machine, lives) = lives::play(&pair, context.images, &context.log, left, ends)?;
        require(lives.audit.is_clean(), || lives.audit.to_string())?;
        end(&machine)
    });
    test.limit = LIMIT;
    test
}

/// Has the primary power the machine off.
fn power_off(machine: &QemuMachine) -> Result<ExitStatus, Problem> {
    takeover::end(machine.port()?, "poweroff")?;
    machine.wait_end(LONG)
}
