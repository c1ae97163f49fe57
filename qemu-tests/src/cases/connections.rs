//! Established connections survive.

use std::thread;
use std::time::Duration;

use sharedmem::cause::Cause;
use sharedmem::event::Restored;

use crate::suite::{Test, TestContext, Verdict};
use harness::client;
use harness::machine::QemuMachine;
use harness::problem::{Problem, require, require_equal};
use harness::steady::{SteadyClient, Workload};
use harness::timeline_report::TimelineReport;
use harness::tools;

/// Idle connections at a time.
const MANY: usize = 256;
/// Rounds of every client before the death, and after it.
const ROUNDS: u64 = 3;
/// Commands in one stream.
const PIPED: usize = 60_000;

pub(super) fn tests() -> Vec<Test> {
    let deaths = [
        ("connections-panic", "DEBUG PANIC"),
        ("connections-hang", "DEBUG HANG all"),
    ];
    let mut tests: Vec<Test> = deaths
        .map(|(name, command)| {
            Test::new(
                name,
                "clients of every kind go on after a takeover on the connections they have, and get every byte once",
                "debug=1",
                move |context| connections(context, command),
            )
        })
        .into();
    tests.push(Test::new(
        "connections-256",
        "256 connections that were idle are all there after a takeover, which finds their sockets made",
        "debug=1",
        many_idle,
    ));
    tests.push(Test::new(
        "failover",
        "FAILOVER hands over on purpose: no client sees an error, and no fault is told",
        "admin=1",
        failover,
    ));
    tests.push(Test::new(
        "redis-cli-pipe",
        "redis-cli --pipe, whose one connection outlives the kernel, ends without an error",
        "debug=1",
        redis_cli_pipe,
    ));
    tests.push(Test::new(
        "redis-benchmark-takeover",
        "redis-benchmark, which gives up at the first lost connection, ends without an error through a takeover",
        "debug=1",
        redis_benchmark,
    ));
    tests
}

fn connections(context: &TestContext<'_>, command: &str) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    stay(&machine, || client::inject(port, command))?;
    machine.closing_word()
}

fn many_idle(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let mut clients = Vec::new();
    for number in 0..MANY {
        let client = SteadyClient::start(port, Workload::Idle, &format!("idle-{number}"));
        clients.push(begun(client, context.time_left())?);
    }
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(2)?;
    let restored = machine.wait_event_where(|restored: &Restored| restored.epoch == 2)?;
    let [all, made] = [restored.connections, restored.made];
    require(all >= MANY as u64 && made * 4 < all, || {
        format!("of {all} sockets {made} were not made before the takeover")
    })?;
    for client in clients {
        client.finish()?;
    }
    machine.closing_word()
}

fn failover(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let takeover = stay(&machine, || {
        let answer: String = client::ask(port, "FAILOVER TIMEOUT 3000")?;
        require_equal("the answer", answer.as_str(), "OK")
    })?;
    require_equal("the cause", takeover.event.cause, Some(Cause::Switchover))?;
    let again = client::ask::<String>(port, "FAILOVER");
    let refusal = again.err().map(|problem| problem.to_string());
    require(
        refusal
            .as_ref()
            .is_some_and(|it| it.contains("requires connected replicas")),
        || format!("without a backup, FAILOVER says {refusal:?}"),
    )?;
    machine.closing_word()
}

/// Waits until a client has done its first round. Clients start one after another, because QEMU's user network has no
/// queue for clients that connect at once: the host's kernel, which believes that it has answered them, resets them in
/// the end.
fn begun(client: SteadyClient, limit: Duration) -> Result<SteadyClient, Problem> {
    SteadyClient::all_do_more(std::slice::from_ref(&client), 1, limit)?;
    Ok(client)
}

/// Lets clients of every kind work while `end` ends the primary.
fn stay(
    machine: &QemuMachine,
    end: impl FnOnce() -> Result<(), Problem>,
) -> Result<TimelineReport, Problem> {
    let port = machine.port()?;
    let mut clients = Vec::new();
    for habit in Workload::ALL {
        for number in [1, 2] {
            let client = SteadyClient::start(port, habit, &format!("{habit:?}-{number}"));
            clients.push(begun(client, machine.time_left())?);
        }
    }
    SteadyClient::all_do_more(&clients, ROUNDS, machine.time_left())?;
    end()?;
    let takeover = machine.wait_takeover(2)?;
    SteadyClient::all_do_more(&clients, ROUNDS, machine.time_left())
        .map_err(|problem| problem.while_doing("going on after the takeover"))?;
    clients.iter().for_each(SteadyClient::go_on);
    for client in clients {
        client.finish()?;
    }
    Ok(takeover)
}

fn redis_cli_pipe(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let commands = "INCR piped\r\n".repeat(PIPED);
    let (port_text, limit) = (port.to_string(), context.time_left());
    let pipe = thread::spawn(move || {
        tools::run("redis-cli", &["-p", &port_text, "--pipe"], &commands, limit)
    });
    die_amid(context, port, "piped")?;
    machine.wait_takeover(2)?;
    let output = pipe
        .join()
        .map_err(|_| Problem::BrokenSetUp("the piping thread panicked".into()))??;
    let word = format!("errors: 0, replies: {PIPED}");
    require(output.contains(&word), || {
        format!("redis-cli --pipe says {output:?}, not {word:?}")
    })?;
    let count: usize = client::ask(port, "GET piped")?;
    require(count == PIPED, || {
        format!("{count} of {PIPED} increments were carried out")
    })?;
    machine.closing_word()
}

/// Kills the primary as soon as a client has counted `key` up.
fn die_amid(context: &TestContext<'_>, port: u16, key: &str) -> Result<(), Problem> {
    let has_begun = || {
        client::ask::<Option<u64>>(port, &format!("GET {key}"))
            .map(|count| count.is_some_and(|count| count > 500))
    };
    while !has_begun()? {
        require(!context.time_left().is_zero(), || {
            format!("{key} is not counted up")
        })?;
        thread::sleep(Duration::from_millis(1));
    }
    client::inject(port, "DEBUG PANIC")
}

fn redis_benchmark(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let (port_text, limit) = (port.to_string(), context.time_left());
    let benchmark = thread::spawn(move || {
        let arguments = [
            "-p", &port_text, "-t", "incr", "-n", "20000", "-c", "20", "-P", "8", "--csv",
        ];
        tools::run("redis-benchmark", &arguments, "", limit)
    });
    die_amid(context, port, "counter:__rand_int__")?;
    machine.wait_takeover(2)?;
    let output = benchmark
        .join()
        .map_err(|_| Problem::BrokenSetUp("the benchmark's thread panicked".into()))??;
    require(output.contains("INCR") && !output.contains("rror"), || {
        format!("redis-benchmark says {output:?}")
    })?;
    let count: u64 = client::ask(port, "GET counter:__rand_int__")?;
    require(count == 20_000, || {
        format!("{count} of 20000 increments were carried out")
    })?;
    machine.closing_word()
}
