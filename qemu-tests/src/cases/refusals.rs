//! A boot is refused in the words of `check-config`, and planned as `check-config` says.

use partition::size::parse_size;
use sharedmem::event::{Refused, Serving};

use crate::suite::{Test, TestContext, Verdict};
use harness::check_config::{BootCheck, CheckReport};
use harness::console::ConsoleLine;
use harness::machine::{MachineSpec, QemuMachine};
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "boot-refusals",
            "what cannot be done stops the boot with check-config's message",
            "",
            refusals,
        ),
        Test::new(
            "plan-as-checked",
            "the plan that is printed at boot is check-config's",
            "journal_mem=16M failover_cpus=0,2",
            planned,
        ),
    ]
}

/// Boot lines that are wrong, and the option that is named.
const REFUSED: [(&str, &str); 5] = [
    ("failover_mem=2T", "failover_mem"),
    ("failover_mem=64M@0x1000", "failover_mem"),
    ("failover_cpus=1", "failover_cpus"),
    ("failover_cpus=0,7", "failover_cpus"),
    ("failover_memory=64M", "failover_memory"),
];

fn refusals(context: &TestContext<'_>) -> Verdict {
    let mut last = None;
    for (wrong, option) in REFUSED {
        let spec = context.spec.clone().append(wrong);
        let machine = context.start(&spec)?;
        let doing = |problem: Problem| problem.while_doing(wrong);
        let refused: Refused = machine.wait_event().map_err(doing)?;
        let refused = refused.option.as_str();
        require_equal("the option that is refused", refused, option).map_err(doing)?;
        let CheckReport::Refused(refusal) = checked(context, &spec)? else {
            return Err(Problem::Failed(format!("{wrong}: check-config accepts it")));
        };
        let expected = format!("boot refused: {refusal}");
        let said = texts(&machine, "boot refused: ");
        require(said == [expected.as_str()], || {
            format!("the boot says {said:?}, check-config {expected:?}")
        })?;
        require_equal(
            "instances that serve",
            machine.console().events::<Serving>().len(),
            0,
        )?;
        last = Some(machine.closing_event::<Refused>()?);
    }
    last.ok_or_else(|| Problem::BrokenSetUp("nothing was tried".into()))
}

fn planned(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let CheckReport::Accepted(plan, _) = checked(context, &context.spec)? else {
        return Err(Problem::Failed("check-config refuses what boots".into()));
    };
    let expected: Vec<String> = plan
        .to_string()
        .lines()
        .map(|line| format!("plan: {line}"))
        .collect();
    require_equal("the plan at boot", texts(&machine, "plan: "), expected)?;
    machine.closing_word()
}

/// Returns the monitor's lines that begin with `start`.
fn texts(machine: &QemuMachine, start: &str) -> Vec<String> {
    let lines = machine.console().lines();
    let own = lines
        .iter()
        .filter_map(|line| ConsoleLine::parse(line))
        .filter(|line| line.who == "monitor" && line.text.starts_with(start));
    own.map(|line| line.text.to_owned()).collect()
}

fn checked(context: &TestContext<'_>, spec: &MachineSpec) -> Result<CheckReport, Problem> {
    let memory_bytes =
        parse_size(&spec.memory).map_err(|error| Problem::BrokenSetUp(error.reason))?;
    BootCheck::of_files(
        spec.boot_line(),
        spec.cpus,
        memory_bytes,
        &context.images.kernel,
        &context.images.archive,
    )
    .run()
}
