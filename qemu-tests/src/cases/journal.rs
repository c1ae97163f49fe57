//! What the journal promises beyond plain writes.

use std::collections::BTreeSet;

use redis::Connection;
use sharedmem::cause::Cause;
use sharedmem::event;

use super::survival::die_and_check;
use crate::suite::{Test, TestContext, Verdict};
use harness::client::{self, PATIENT};
use harness::problem::{Problem, require, require_equal};

pub(super) fn tests() -> Vec<Test> {
    vec![
        Test::new(
            "corrupt-tail",
            "a damaged record at the journal's tail is named, and nothing acknowledged is lost",
            "debug=1",
            corrupt_tail,
        ),
        Test::new(
            "random-and-time",
            "SPOP, expiry and times to live are after a takeover what they were before",
            "debug=1",
            random_and_time,
        ),
    ]
}

fn corrupt_tail(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let takeover = die_and_check(&machine, "DEBUG CORRUPT-TAIL", Cause::Panic)?;
    require(takeover.event.findings > 0, || {
        "the damage was not found".into()
    })?;
    let finding: event::Finding = machine.wait_event()?;
    require(!finding.what.as_str().is_empty(), || {
        "the finding has no name".into()
    })?;
    machine.closing_word()
}

const MEMBERS: usize = 100;
const POPPED: usize = 40;

fn random_and_time(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let mut connection = client::connect(port, PATIENT).map_err(failed)?;
    let members: Vec<String> = (0..MEMBERS)
        .map(|number| format!("member-{number}"))
        .collect();
    require_equal(
        "SADD",
        run::<usize>(&mut connection, &format!("SADD set {}", members.join(" ")))?,
        MEMBERS,
    )?;
    let popped: BTreeSet<String> = run(&mut connection, &format!("SPOP set {POPPED}"))?;
    require_equal("members popped", popped.len(), POPPED)?;
    run::<()>(&mut connection, "SET brief 1 PX 20")?;
    run::<()>(&mut connection, "SET long 1 PX 600000")?;
    run::<()>(&mut connection, "SET for-ever 1")?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    require_equal(
        "the brief key",
        run::<Option<String>>(&mut connection, "GET brief")?,
        None,
    )?;
    let left_ms: i64 = run(&mut connection, "PTTL long")?;

    die_and_check(&machine, "DEBUG PANIC", Cause::Panic)?;
    let mut connection = client::connect(port, PATIENT).map_err(failed)?;
    let remaining: BTreeSet<String> = run(&mut connection, "SMEMBERS set")?;
    let expected: BTreeSet<String> = members
        .into_iter()
        .filter(|member| !popped.contains(member))
        .collect();
    require_equal("the set", remaining, expected)?;
    require_equal(
        "the brief key",
        run::<Option<String>>(&mut connection, "GET brief")?,
        None,
    )?;
    require_equal(
        "the lasting key's PTTL",
        run::<i64>(&mut connection, "PTTL for-ever")?,
        -1,
    )?;
    let later_ms: i64 = run(&mut connection, "PTTL long")?;
    require((1..=left_ms).contains(&later_ms), || {
        format!("the long key had {left_ms} ms to live and now {later_ms}")
    })?;
    machine.closing_word()
}

fn run<T: redis::FromRedisValue>(connection: &mut Connection, command: &str) -> Result<T, Problem> {
    client::run(connection, command).map_err(failed)
}

fn failed(error: redis::RedisError) -> Problem {
    Problem::Failed(error.to_string())
}
