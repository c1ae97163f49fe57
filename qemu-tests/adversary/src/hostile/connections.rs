//! Connections: many, half-closed, reset, and in the smallest of pieces.

use std::time::Duration;

use super::client::{RawClient, command};
use super::{Attack, Target};
use harness::problem::{Problem, require, require_equal};

/// Time for one reply.
const PATIENCE: Duration = Duration::from_secs(20);
const PIPELINED: usize = 10_000;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "byte-by-byte",
            "commands that come one byte at a time",
            byte_by_byte,
        )
        .quick(),
        Attack::new(
            "half-closed",
            "10,000 commands, then the client ends its half",
            half_closed,
        )
        .quick(),
        Attack::new(
            "resets",
            "50 connections are reset in the middle of a command",
            resets,
        )
        .quick(),
        Attack::new(
            "thousand-connections",
            "1,000 connections at a time",
            |target| {
                let clients = RawClient::many(target.port, 1_000);
                require(!clients.is_empty(), || "nobody could connect".into())
            },
        ),
        Attack::new(
            "connect-and-leave",
            "500 connections that say nothing and leave",
            |target| {
                for _ in 0..500 {
                    drop(RawClient::connect(target.port));
                }
                Ok(())
            },
        ),
        Attack::new(
            "garbage",
            "64 KB of bytes that are no command, on 20 connections",
            |target| {
                let mut random = harness::random::Random::new(17);
                for mut client in RawClient::many(target.port, 20) {
                    client.send(&random.bytes(64 << 10));
                }
                Ok(())
            },
        )
        .quick(),
        Attack::new(
            "slow-loris",
            "30 unfinished requests at the status page, one byte at a time",
            slow_loris,
        ),
        Attack::new(
            "huge-request",
            "a request of 8 MB at the status page",
            |target| {
                let port = status_port(target)?;
                let mut client = RawClient::connect(port)?;
                client.send(b"GET /");
                client.send(&vec![b'a'; 8 << 20]);
                drop(client);
                page(port)
            },
        ),
    ]
}

fn byte_by_byte(target: &Target<'_>) -> Result<(), Problem> {
    let mut client = RawClient::connect(target.port)?;
    for byte in command(&[b"SET", b"slowly", b"value"]) {
        client.send(&[byte]);
    }
    let reply = client.read(5, PATIENCE);
    require_equal("the reply", reply.as_slice(), b"+OK\r\n")?;
    require(
        client
            .reply(&[b"DEL", b"slowly"], PATIENCE)
            .starts_with(":1"),
        || "the key is not there".into(),
    )
}

fn half_closed(target: &Target<'_>) -> Result<(), Problem> {
    let mut client = RawClient::connect(target.port)?;
    client.send(&b"PING\r\n".repeat(PIPELINED));
    let ended = client.end_sending();
    ended.map_err(|error| Problem::Failed(format!("half-closing: {error}")))?;
    let expected = PIPELINED * b"+PONG\r\n".len();
    let got = client.read(expected, PATIENCE).len();
    require_equal("bytes of replies", got, expected)
}

fn resets(target: &Target<'_>) -> Result<(), Problem> {
    for _ in 0..50 {
        let mut client = RawClient::connect(target.port)?;
        // The host resets a connection that is closed with something unread.
        client.send(b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Forwards a port of the host to the status page.
fn status_port(target: &Target<'_>) -> Result<u16, Problem> {
    const STATUS_PORT: u16 = 80;
    let line = format!("hostfwd_add n0 tcp:127.0.0.1:0-:{STATUS_PORT}");
    target.machine.control()?.execute(
        "human-monitor-command",
        serde_json::json!({ "command-line": line }),
    )?;
    target.machine.port_to(STATUS_PORT)
}

fn slow_loris(target: &Target<'_>) -> Result<(), Problem> {
    let port = status_port(target)?;
    let mut clients = RawClient::many(port, 30);
    for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b" {
        clients.iter_mut().for_each(|client| {
            client.send(&[*byte]);
        });
    }
    drop(clients);
    page(port)
}

/// Asks for the status page as a browser does.
fn page(port: u16) -> Result<(), Problem> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mut client = RawClient::connect(port)?;
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let reply = client.read(12, Duration::from_secs(2));
        if reply.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&reply).into_owned();
        require(std::time::Instant::now() < deadline, || {
            format!("the status page answers {:?}", text.lines().next())
        })?;
    }
}
