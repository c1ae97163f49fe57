//! A Linux and a native instance on one machine: either takes over from the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use service::{Input, InputRecord, Stamp};
use sharedmem::cause::Cause;
use sharedmem::event;

use super::survival::WRITES;
use crate::suite::{Test, TestContext, Verdict};
use harness::client::{self, IMPATIENT};
use harness::linux::http::{self, HttpReply};
use harness::problem::{Problem, require, require_equal};
use harness::writer::KeyWriter;
use linux_kit::packages::Series;
use linux_tests::mixed::{First, HTTP_PORT, Mixed, REDIS_PORT};
use linux_tests::takeover::{Death, kill, told_status};

/// A Linux boots under translation, on a host that may be busy.
const LIMIT: Duration = Duration::from_secs(120);

/// A test may have to share its host.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A reply of a healthy machine takes less.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// Between two attempts to be answered.
const RETRY: Duration = Duration::from_millis(50);

/// The status page's sockets.
const PAGE_CLIENTS: usize = 8;

pub(super) fn tests() -> Vec<Test> {
    let cases: [(&str, &str, Body); 3] = [
        (
            "linux-to-native",
            "an unmodified Linux 6.12 panics; a native instance shows why, and what its programs had \
             journaled, and executes none of it",
            linux_to_native,
        ),
        (
            "linux-restart-native",
            "an unmodified Linux 6.1 reboots and then panics; its native backup has what was journaled before \
             and after",
            restart,
        ),
        (
            "native-to-linux",
            "a native instance with clients panics; an unmodified Linux 6.1 has its disk and its address",
            native_to_linux,
        ),
    ];
    cases
        .map(|(name, doc, body)| {
            let mut test = Test::new(name, doc, "", body);
            test.limit = LIMIT;
            test
        })
        .into()
}

type Body = fn(&TestContext<'_>) -> Verdict;

fn mixed(context: &TestContext<'_>, first: First, series: Series) -> Mixed {
    Mixed {
        name: context.spec.name.clone(),
        series,
        first,
        timeout: TIMEOUT,
        records: Vec::new(),
        reboots: false,
        append: String::new(),
    }
}

/// Makes the records that a program of the Linux journals: text, and commands that the native service must not execute.
fn records() -> Vec<Vec<u8>> {
    let encoded = |input| {
        let (stamp, mut bytes) = (Stamp::default(), Vec::new());
        InputRecord { stamp, input }.encode(&mut bytes);
        bytes
    };
    vec![
        b"order 1: two <b>apples</b>".to_vec(),
        encoded(Input::Open {
            connection: 7,
            peer: [10, 0, 2, 2, 0x80, 0],
        }),
        encoded(Input::Bytes {
            connection: 7,
            bytes: b"SET injected 1\r\n",
        }),
        b"order 2\n".to_vec(),
        vec![0xff, 0x00, 0x0a],
        // Longer than the page's send buffers.
        vec![b'x'; 20_000],
    ]
}

fn linux_to_native(context: &TestContext<'_>) -> Verdict {
    let mixed = Mixed {
        records: records(),
        ..mixed(context, First::Linux, Series::V6_12)
    };
    let machine = mixed.start(context.images, &context.log, context.time_left())?;
    machine.wait_event::<event::Journaled>()?;
    machine.wait_event::<event::Ready>()?;
    let port = machine.port_to(HTTP_PORT)?;
    kill(port, Death::Panic)?;
    let takeover = machine.wait_takeover(2)?;
    require_equal(
        "the takeover's cause",
        takeover.event.cause,
        Some(Cause::Panic),
    )?;
    require_equal("damage found in the journal", takeover.event.findings, 0)?;

    check_status(&ask_until_answered(port, "/status.json", context)?)?;
    check_page(&get(port, "/")?)?;
    check_records(port)?;
    check_refusals(port)?;
    check_bounds(port, context)?;
    let redis = machine.port_to(REDIS_PORT)?;
    let keys: u64 = client::ask(redis, "DBSIZE")?;
    require_equal("keys of the native service", keys, 0)?;
    machine.closing_word()
}

/// Lets the primary reboot, so that it is started again in the next epoch, before the backup is needed.
fn restart(context: &TestContext<'_>) -> Verdict {
    let mixed = Mixed {
        records: vec![b"one".to_vec()],
        reboots: true,
        ..mixed(context, First::Linux, Series::V6_1)
    };
    let machine = mixed.start(context.images, &context.log, context.time_left())?;
    machine.wait_event::<event::Ready>()?;
    let port = machine.port_to(HTTP_PORT)?;
    kill(port, Death::Panic)?;
    let takeover = machine.wait_takeover(3)?;
    require_equal("damage found in the journal", takeover.event.findings, 0)?;
    ask_until_answered(port, "/", context)?;
    let lines = get(port, "/journal")?.text();
    let epochs: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_default()["epoch"].take())
        .collect();
    require_equal("epochs of the records", epochs, vec![json!(1), json!(2)])?;
    machine.closing_word()
}

fn get(port: u16, target: &str) -> Result<HttpReply, Problem> {
    ask(port, "GET", target)
}

fn ask(port: u16, method: &str, target: &str) -> Result<HttpReply, Problem> {
    http::request(port, method, target, b"", REPLY_LIMIT)
        .map_err(|error| Problem::Failed(format!("{method} {target}: {error}")))
}

/// Asks until there is an answer. A new primary takes a while, and QEMU's network retries only after seconds: to ask
/// anew is quicker.
fn ask_until_answered(
    port: u16,
    target: &str,
    context: &TestContext<'_>,
) -> Result<HttpReply, Problem> {
    let until = Instant::now() + context.time_left().min(Duration::from_secs(30));
    loop {
        match http::request(port, "GET", target, b"", IMPATIENT.reply) {
            Ok(reply) => return Ok(reply),
            Err(_) if Instant::now() < until => thread::sleep(RETRY),
            Err(error) => return Err(Problem::TimedOut(format!("GET {target}: {error}"))),
        }
    }
}

fn json_of(reply: &HttpReply) -> Result<Value, Problem> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| Problem::Failed(format!("no JSON: {error} in {}", reply.text())))
}

fn check_status(reply: &HttpReply) -> Result<(), Problem> {
    let status = json_of(reply)?;
    let expected = [
        ("/role", json!("primary")),
        ("/instance", json!("b")),
        ("/epoch", json!(2)),
        ("/protected", json!(false)),
        ("/takeover/cause", json!("panic")),
        ("/takeover/edges/detected_us", json!(0)),
        ("/dead/instance", json!("a")),
        ("/dead/image", json!("/boot/vmlinuz")),
        ("/dead/epitaph/cause", json!("panic")),
        ("/dead/epitaph/epoch", json!(1)),
        ("/records/kept", json!(records().len())),
        ("/records/dropped", json!(0)),
    ];
    for (pointer, value) in expected {
        let found = status.pointer(pointer).unwrap_or(&Value::Null);
        require_equal(pointer, found, &value)?;
    }
    let message = status["dead"]["epitaph"]["message"].as_str();
    require(message.is_some_and(|text| !text.is_empty()), || {
        format!("the epitaph has no message: {status}")
    })?;
    let log = status["dead"]["log"].to_string();
    require(log.contains("Kernel panic - not syncing"), || {
        format!("the end of the dead kernel's log is {log}")
    })
}

fn check_page(reply: &HttpReply) -> Result<(), Problem> {
    let page = reply.text();
    for text in [
        "<title>Understudy: Instance b took over from instance a: panic</title>",
        "Kernel panic - not syncing",
        "<th>serving</th>",
    ] {
        require(page.contains(text), || format!("{text} is not in {page}"))?;
    }
    Ok(())
}

fn check_records(port: u16) -> Result<(), Problem> {
    let lines = get(port, "/journal")?.text();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_default())
        .collect();
    let records = records();
    require_equal("records of the journal", lines.len(), records.len())?;
    for (line, record) in lines.iter().zip(&records) {
        let (name, content) = match str::from_utf8(record) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("hex", record.iter().map(|b| format!("{b:02x}")).collect()),
        };
        require_equal("a record", &line[name], &json!(content))?;
        require_equal("its epoch", &line["epoch"], &json!(1))?;
    }
    let mut raw = Vec::new();
    for record in &records {
        raw.extend_from_slice(record);
        if !record.ends_with(b"\n") {
            raw.push(b'\n');
        }
    }
    require_equal("the raw journal", get(port, "/journal?raw")?.body, raw)
}

fn check_refusals(port: u16) -> Result<(), Problem> {
    require_equal("GET /none", get(port, "/none")?.status, 404)?;
    require_equal("POST /", ask(port, "POST", "/")?.status, 405)?;
    let long = format!("/{}", "x".repeat(5000));
    require_equal("a long path", get(port, &long)?.status, 414)?;
    for (request, status) in [
        ("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("\u{1}\u{2}\u{3}\r\n\r\n", "400"),
    ] {
        let mut stream = connect(port)?;
        let text = stream
            .write_all(request.as_bytes())
            .map_err(failed)
            .and_then(|()| rest_of(&mut stream))?;
        let is_head = text.starts_with(&format!("HTTP/1.1 {status} "));
        let has_body = !text.ends_with("\r\n\r\n");
        require(is_head && has_body == (status != "200"), || {
            format!("{request:?} is answered by {text}")
        })?;
    }
    Ok(())
}

/// Checks that silent clients are dropped in time, and take no more sockets than there are.
fn check_bounds(port: u16, context: &TestContext<'_>) -> Result<(), Problem> {
    let mut patient = connect(port)?;
    let mut silent = Vec::new();
    loop {
        silent.push(connect(port)?);
        // QEMU has accepted it; the guest follows.
        thread::sleep(RETRY);
        let is_full = silent.len() >= PAGE_CLIENTS;
        if is_full && http::request(port, "GET", "/", b"", REPLY_LIMIT).is_err() {
            break;
        }
        // Some of them may have met sockets that were still busy with their last client.
        require(silent.len() < 2 * PAGE_CLIENTS, || {
            format!("beside {} clients another is answered", silent.len())
        })?;
    }
    drop(silent);
    let reply = ask_until_answered(port, "/", context)?;
    require_equal("GET / after that", reply.status, 200)?;
    let text = rest_of(&mut patient)?;
    require(text.starts_with("HTTP/1.1 408 "), || {
        format!("a client that says nothing is told {text:?}")
    })
}

fn connect(port: u16) -> Result<TcpStream, Problem> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    stream
        .set_read_timeout(Some(2 * REPLY_LIMIT))
        .map_err(failed)?;
    Ok(stream)
}

fn rest_of(stream: &mut TcpStream) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(error: std::io::Error) -> Problem {
    Problem::Failed(format!("the status page: {error}"))
}

fn native_to_linux(context: &TestContext<'_>) -> Verdict {
    let mixed = Mixed {
        append: "debug=1 journal_mem=1M".into(),
        ..mixed(context, First::Native, Series::V6_1)
    };
    let release = mixed.kernel()?.release;
    let machine = mixed.start(context.images, &context.log, context.time_left())?;
    machine.wait_serving(1)?;
    machine.wait_event::<event::Protected>()?;
    let (port, redis) = (machine.port_to(HTTP_PORT)?, machine.port_to(REDIS_PORT)?);
    let status = json_of(&ask_until_answered(port, "/status.json", context)?)?;
    require_equal("protected", &status["protected"], &json!(true))?;
    require_equal("dead", &status["dead"], &Value::Null)?;
    overfill_journal(redis)?;

    let writer = KeyWriter::start(redis, "client", IMPATIENT);
    writer.wait_more(WRITES, machine.time_left())?;
    client::inject(redis, "DEBUG PANIC")?;
    let status = told_status(&machine, |status| !status["takeover"].is_null())?;
    drop(writer.finish()?);
    require_equal("the cause", &status["takeover"]["cause"], &json!("panic"))?;
    require_equal("the role", &status["role"], &json!("primary"))?;
    require_equal("the kernel", &status["kernel"], &json!(release))?;

    let identity = ask_until_answered(port, "/", context)?.text();
    require(
        identity.contains(&format!("\"kernel\":\"{release}\"")),
        || format!("who answers says it is {identity}"),
    )?;
    check_disk(port)?;
    machine.closing_event::<event::Ready>()
}

/// Fills the journal more than once: a parked Linux reads none of it, and the native primary must go on.
fn overfill_journal(redis: u16) -> Result<(), Problem> {
    let value = "x".repeat(100_000);
    for _ in 0..40 {
        client::ask::<()>(redis, &format!("SET large {value}")).map_err(|_| {
            Problem::Failed("the native primary does not go on when its journal is full".into())
        })?;
    }
    Ok(())
}

fn check_disk(port: u16) -> Result<(), Problem> {
    let reply = http::request(port, "POST", "/append?file=1", b"line", REPLY_LIMIT);
    let reply = reply.map_err(|error| Problem::Failed(format!("POST /append: {error}")))?;
    require_equal("POST /append", reply.status, 200)?;
    require_equal(
        "the file on the disk",
        get(port, "/file?file=1")?.text().as_str(),
        "line\n",
    )
}
