//! Clients that owe or are owed much, and what others get meanwhile.

use std::time::Duration;

use super::client::RawClient;
use super::{Attack, Target};
use harness::client;
use harness::problem::{Problem, require, require_equal};

/// What was sent is with the guest by then.
const SETTLED: Duration = Duration::from_millis(500);
/// Time for one reply.
const PATIENCE: Duration = Duration::from_secs(20);
const VALUE_BYTES: usize = 1 << 20;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "reader-owes",
            "a client asks for 40 MB and reads nothing",
            |target| {
                let _debtor = debtor(target)?;
                std::thread::sleep(SETTLED);
                client::ask::<()>(target.port, "DEL large")
            },
        )
        .quick(),
        Attack::new(
            "debtor-and-others",
            "40 MB are owed to one while others ask for 100 KB each",
            |target| {
                let _debtor = debtor(target)?;
                others(target, &[b"GET", b"medium"], 100_000)?;
                client::ask::<()>(target.port, "DEL large medium")
            },
        ),
        Attack::new(
            "stalled-request",
            "one request of 8 MB stalls while others' span two segments",
            stalled,
        )
        .quick(),
        Attack::new(
            "unread-commands",
            "100,000 commands whose replies nobody reads",
            |target| {
                let mut client = RawClient::connect(target.port)?;
                client.send(&b"PING\r\n".repeat(100_000));
                std::thread::sleep(SETTLED);
                Ok(())
            },
        )
        .quick(),
        Attack::new(
            "slow-writers",
            "300 clients send one byte at a time",
            slow_writers,
        ),
    ]
}

/// Returns a client that is owed 40 MB.
fn debtor(target: &Target<'_>) -> Result<RawClient, Problem> {
    let mut client = RawClient::connect(target.port)?;
    let large = vec![b'l'; VALUE_BYTES];
    let reply = client.reply(&[b"SET", b"large", &large], PATIENCE);
    require(reply.starts_with("+OK"), || format!("SET large: {reply:?}"))?;
    for _ in 0..40 {
        client.ask(&[b"GET", b"large"]);
    }
    Ok(client)
}

/// Lets ten other clients ask again and again; each must get every reply.
fn others(target: &Target<'_>, request: &[&[u8]], value_bytes: usize) -> Result<(), Problem> {
    let mut clients = RawClient::many(target.port, 10);
    let value = vec![b'm'; value_bytes];
    let reply = clients[0].reply(&[b"SET", b"medium", &value], PATIENCE);
    require(reply.starts_with("+OK"), || {
        format!("SET medium: {reply:?}")
    })?;
    let expected = format!("${value_bytes}\r\n").len() + value_bytes + 2;
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.ask(request);
            let got = client.read(expected, PATIENCE).len();
            require_equal(
                &format!("round {round}, bytes of client {number}"),
                got,
                expected,
            )?;
        }
    }
    Ok(())
}

fn stalled(target: &Target<'_>) -> Result<(), Problem> {
    let mut hog = RawClient::connect(target.port)?;
    hog.send(b"*3\r\n$3\r\nSET\r\n$3\r\nhog\r\n$8388608\r\n");
    hog.send(&vec![b'h'; 8_000_000]);
    let mut clients = RawClient::many(target.port, 10);
    let value = vec![b'o'; 3_000];
    for round in 0..20 {
        for (number, client) in clients.iter_mut().enumerate() {
            let reply = client.reply(
                &[b"SET", format!("other-{number}").as_bytes(), &value],
                PATIENCE,
            );
            require(reply.starts_with("+OK"), || {
                format!("round {round}: client {number} got {reply:?}")
            })?;
        }
    }
    Ok(())
}

fn slow_writers(target: &Target<'_>) -> Result<(), Problem> {
    let mut clients = RawClient::many(target.port, 300);
    for byte in b"*2\r\n$3\r\nGET\r\n$1\r\nk" {
        clients.iter_mut().for_each(|client| {
            client.send(&[*byte]);
        });
    }
    Ok(())
}
