//! The machine arms itself again: one takeover after another.

use std::thread;
use std::time::Duration;

use super::{Stage, Test, Verdict};
use crate::client;
use crate::machine::Machine;
use crate::problem::{Problem, require, require_equal};
use crate::steady::{Habit, Steady};

/// Takeovers in a row.
const TAKEOVERS: u64 = 20;
/// Rounds of every client between two of them.
const ROUNDS: u64 = 3;
/// Keys that are there from the beginning.
const KEYS: u64 = 5_000;
/// How often the machine is asked whether it is protected.
const LOOK: Duration = Duration::from_millis(20);
/// Time for a test with so many deaths.
const LIMIT: Duration = Duration::from_secs(120);

/// Ways for a primary to go, in turn, and the cause that is told.
const ENDS: [(&str, &str); 5] = [
    ("DEBUG PANIC", "panic"),
    ("DEBUG HANG all", "silent"),
    ("DEBUG DOUBLE-FAULT", "panic"),
    ("FAILOVER", "switchover"),
    ("DEBUG HANG loop", "hung"),
];

pub(super) fn tests() -> Vec<Test> {
    let mut in_a_row = Test::new(
        "rearm-20",
        "20 takeovers in a row, each by a backup that was loaded while the last primary served: no connection and no key is lost",
        "failover_rearm=auto debug=1",
        in_a_row,
    );
    in_a_row.limit = LIMIT;
    vec![in_a_row]
}

fn in_a_row(stage: &Stage<'_>) -> Verdict {
    let machine = stage.boot()?;
    let port = machine.port()?;
    client::inject(port, &format!("DEBUG POPULATE {KEYS}"))?;
    let mut clients = Vec::new();
    for habit in [Habit::Chat, Habit::Pipeline, Habit::Idle] {
        let client = Steady::start(port, habit, &format!("{habit:?}"));
        Steady::all_do_more(std::slice::from_ref(&client), 1, machine.time_left())?;
        clients.push(client);
    }
    for (number, (end, cause)) in (2..=TAKEOVERS + 1).zip(ENDS.into_iter().cycle()) {
        wait_protected(&machine, port)?;
        Steady::all_do_more(&clients, ROUNDS, machine.time_left())?;
        end_by(port, end)?;
        let takeover = machine.wait_takeover(number)?;
        require_equal("the takeover's cause", takeover.cause.as_str(), cause)?;
    }
    wait_protected(&machine, port)?;
    for client in clients {
        client.finish()?;
    }
    let keys: u64 = client::ask(port, "DBSIZE")?;
    require(keys >= KEYS, || format!("{keys} keys of {KEYS} are left"))?;
    machine.closing_word()
}

fn end_by(port: u16, end: &str) -> Result<(), Problem> {
    if end == "FAILOVER" {
        let answer: String = client::ask(port, end)?;
        return require_equal("the answer", answer.as_str(), "OK");
    }
    client::inject(port, end)
}

/// Waits until the machine says that it is protected.
fn wait_protected(machine: &Machine, port: u16) -> Result<(), Problem> {
    loop {
        let info: String = client::ask(port, "INFO replication")?;
        if info.contains("protected:1\r") {
            return Ok(());
        }
        require(!machine.time_left().is_zero(), || {
            format!("the machine is not protected again: {info}")
        })?;
        thread::sleep(LOOK);
    }
}
