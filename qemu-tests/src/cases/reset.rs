//! A reset of the machine: the state is there again.

use sharedmem::event::{Dead, RecordSkipped, Reset, ResetSurvived, Serving, StandsStill};

use crate::campaigns::rearm;
use crate::suite::{Test, TestContext, Verdict};
use harness::client;
use harness::fleet::Fleet;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};

/// Keys that are there.
const KEYS: u64 = 40_000;

pub(super) fn tests() -> Vec<Test> {
    let button = |machine: &QemuMachine| machine.control()?.reset();
    let fault = |machine: &QemuMachine| client::inject(machine.port()?, "DEBUG TRIPLE-FAULT");
    let mut tests = vec![
        Test::new(
            "reset-button",
            "the reset button is pressed: the next boot goes on with every key and every connection",
            rearm::OPTIONS,
            move |context| survive(context, button),
        ),
        Test::new(
            "reset-triple-fault",
            "a triple fault resets the platform: the next boot goes on with every key and every connection",
            rearm::OPTIONS,
            move |context| survive(context, fault),
        ),
        Test::new(
            "poison",
            "a command that stops every kernel: tried twice, then skipped, answered with an error and named; \
             all else goes on",
            rearm::OPTIONS,
            poison,
        ),
        Test::new(
            "poison-reset",
            "the same with a platform reset between the deaths, and no backup at all",
            "failover_kernel=/boot/none debug=1",
            poison_alone,
        ),
        Test::new(
            "reset-no-backup",
            "the primary dies and no backup can be loaded: the machine resets itself, and the state is there again",
            "failover_kernel=/boot/none debug=1",
            no_backup,
        ),
        Test::new(
            "reset-off",
            "failover_reset=off: a machine on which nobody serves stands still, and one that is reset begins anew",
            "failover_kernel=/boot/none failover_reset=off debug=1",
            off,
        ),
        Test::new(
            "reset-in-a-row",
            "a machine that dies again and again is reset three times, and then stands still and says so",
            "failover_kernel=/boot/none debug=1 exec=\"100ms DEBUG PANIC; 100ms DEBUG PANIC; 100ms DEBUG \
             PANIC; 100ms DEBUG PANIC\"",
            in_a_row,
        ),
    ];
    for test in &mut tests {
        test.machine.may_reset = true;
    }
    tests
}

/// Resets the machine twice under clients that never reconnect. The keyspace stays the same: what was recovered can be
/// recovered again.
fn survive(
    context: &TestContext<'_>,
    reset: impl Fn(&QemuMachine) -> Result<(), Problem>,
) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let clients = Fleet::start(&machine, KEYS)?;
    for epoch in [2, 3] {
        clients.do_more(&machine)?;
        reset(&machine)?;
        machine.wait_event_where(|survived: &ResetSurvived| survived.epoch == epoch)?;
        machine.wait_serving(epoch)?;
    }
    // A backup waits that has read the same.
    rearm::wait_protected(&machine, port)?;
    clients.do_more(&machine)?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(4)?;
    clients.finish(&machine)?;
    machine.closing_word()
}

fn poison(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let clients = Fleet::start(&machine, KEYS)?;
    clients.do_more(&machine)?;
    // The connection outlives two kernels; the third tells it what it has decided.
    skipped(port)?;
    machine.wait_takeover(3)?;
    clients.finish(&machine)?;
    named(&machine)?;
    // A kernel that reads the journal from its beginning skips it as well.
    rearm::wait_protected(&machine, port)?;
    machine.control()?.reset()?;
    machine.wait_serving(4)?;
    let keys: u64 = client::ask(port, "DBSIZE")?;
    require(keys >= KEYS, || format!("{keys} keys of {KEYS} are left"))?;
    machine.closing_word()
}

fn poison_alone(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    machine.wait_serving(1)?;
    let port = machine.port()?;
    client::inject(port, "SET key value")?;
    skipped(port)?;
    machine.wait_serving(3)?;
    named(&machine)?;
    let keys: u64 = client::ask(port, "DBSIZE")?;
    require_equal("number of keys", keys, 1)?;
    machine.closing_word()
}

/// Sends the command that kills; the client gets an error.
fn skipped(port: u16) -> Result<(), Problem> {
    let answer = client::ask::<String>(port, "DEBUG POISON");
    let is_told = matches!(&answer, Err(problem) if problem.to_string().contains("skipped"));
    require(is_told, || format!("the answer is {answer:?}"))
}

/// Checks that the log names the record.
fn named(machine: &QemuMachine) -> Result<(), Problem> {
    let is_named = |skipped: &RecordSkipped| skipped.what.as_str().contains("POISON");
    machine.wait_event_where(is_named).map(drop)
}

fn no_backup(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    machine.wait_serving(1)?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    client::inject(port, "SET ttl x EX 1000")?;
    let digest: String = client::ask(port, "DEBUG DIGEST")?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_event::<Reset>()?;
    machine.wait_serving(2)?;
    let after: String = client::ask(port, "DEBUG DIGEST")?;
    require_equal("the digest", after, digest)?;
    let left_s: u64 = client::ask(port, "TTL ttl")?;
    require((900..=1000).contains(&left_s), || {
        format!("the key expires in {left_s} s of 1000")
    })?;
    machine.closing_word()
}

fn in_a_row(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    let word = machine.closing_event::<StandsStill>()?;
    let console = machine.console();
    require_equal("number of resets", console.events::<Reset>().len(), 3)?;
    require_equal("boots", console.events::<Serving>().len(), 4)?;
    Ok(word)
}

fn off(context: &TestContext<'_>) -> Verdict {
    let machine = context.start(&context.spec)?;
    machine.wait_serving(1)?;
    let port = machine.port()?;
    client::inject(port, "SET key value")?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_event::<Dead>()?;
    machine.control()?.reset()?;
    let port = machine.port()?;
    let keys: u64 = client::ask(port, "DBSIZE")?;
    require_equal("number of keys", keys, 0)?;
    let console = machine.console();
    require_equal("number of resets", console.events::<Reset>().len(), 0)?;
    let survived = console.events::<ResetSurvived>().len();
    require_equal("resets survived", survived, 0)?;
    machine.closing_word()
}
