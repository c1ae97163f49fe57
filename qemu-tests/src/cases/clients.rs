//! Real clients: Redis' own tools unmodified, and many clients at once.

use crate::suite::{Test, TestContext, Verdict, audit};
use harness::client::{self, ONE_OF_MANY};
use harness::problem::{Problem, require, require_equal};
use harness::tools;
use harness::writer::KeyWriter;

pub(super) fn tests() -> Vec<Test> {
    let mut benchmark = Test::new(
        "redis-benchmark",
        "redis-benchmark runs unmodified, pipelined, with 50 clients",
        "",
        redis_benchmark,
    );
    benchmark.limit = std::time::Duration::from_secs(180);
    vec![
        Test::new(
            "redis-cli",
            "redis-cli works unmodified, and gets Redis' answers",
            "",
            redis_cli,
        ),
        benchmark,
        Test::new(
            "clients-64",
            "64 clients write at once, through a takeover, and none loses anything",
            "debug=1",
            clients_64,
        ),
    ]
}

/// Commands, and what redis-cli prints for each when it is not on a terminal.
const DIALOGUE: [(&str, &str); 14] = [
    ("PING", "PONG"),
    ("SET greeting \"hello world\"", "OK"),
    ("GET greeting", "hello world"),
    ("APPEND greeting !", "12"),
    ("INCRBY number 41", "41"),
    ("INCR number", "42"),
    (
        "INCR greeting",
        "ERR value is not an integer or out of range",
    ),
    ("RPUSH list a b c", "3"),
    ("LRANGE list 0 -1", "a\nb\nc"),
    ("HSET hash field value", "1"),
    ("HGETALL hash", "field\nvalue"),
    (
        "GET list",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
    ),
    (
        "NOSUCH thing",
        "ERR unknown command 'NOSUCH', with args beginning with: 'thing' ",
    ),
    ("DBSIZE", "4"),
];

fn redis_cli(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?.to_string();
    let input: String = DIALOGUE
        .iter()
        .map(|(command, _)| format!("{command}\n"))
        .collect();
    let expected: String = DIALOGUE
        .iter()
        .map(|(_, answer)| format!("{answer}\n"))
        .collect();
    let output = tools::run("redis-cli", &["-p", &port], &input, context.time_left())?;
    // An error is followed by an empty line.
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !line.is_empty())
            .map(String::from)
            .collect::<Vec<_>>()
    };
    require_equal("redis-cli's output", lines(&output), lines(&expected))?;
    let bulk = tools::run(
        "redis-cli",
        &["-p", &port, "--raw", "GET", "greeting"],
        "",
        context.time_left(),
    )?;
    require_equal("a single command's output", bulk.trim(), "hello world!")?;
    machine.closing_word()
}

const BENCHMARK: &str = "set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,lrange,mset,ping";

fn redis_benchmark(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?.to_string();
    let arguments = [
        "-p", &port, "-t", BENCHMARK, "-n", "2000", "-c", "50", "-P", "16", "--csv",
    ];
    let output = tools::run("redis-benchmark", &arguments, "", context.time_left())?;
    for name in BENCHMARK.split(',').map(str::to_ascii_uppercase) {
        let has_row = output
            .lines()
            .any(|row| row.trim_start_matches('"').starts_with(&name));
        require(has_row, || {
            format!("redis-benchmark has no row for {name}:\n{output}")
        })?;
    }
    machine.closing_word()
}

const CLIENTS: u64 = 64;
const WRITES_EACH: u64 = 30;

fn clients_64(context: &TestContext<'_>) -> Verdict {
    let machine = context.boot()?;
    let port = machine.port()?;
    let writers: Vec<KeyWriter> = (0..CLIENTS)
        .map(|number| KeyWriter::start(port, format!("client-{number}"), ONE_OF_MANY))
        .collect();
    KeyWriter::all_wait_more(&writers, WRITES_EACH, context.time_left())?;
    // One connection more than the writers', and the one that asks.
    let connected: String = client::ask(port, "INFO clients")?;
    let count = connected
        .lines()
        .find_map(|line| line.strip_prefix("connected_clients:")?.parse::<u64>().ok());
    require(count.is_some_and(|count| count >= CLIENTS), || {
        format!("INFO clients says {connected:?}")
    })?;
    client::inject(port, "DEBUG PANIC")?;
    machine.wait_takeover(2)?;
    KeyWriter::all_wait_more(&writers, WRITES_EACH, context.time_left())
        .map_err(|problem| problem.while_doing("writing on after the takeover"))?;
    let ledgers = writers
        .into_iter()
        .map(KeyWriter::finish)
        .collect::<Result<Vec<_>, Problem>>()?;
    ledgers.iter().try_for_each(|ledger| audit(port, ledger))?;
    machine.closing_word()
}
