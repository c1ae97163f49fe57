//! Work without an end: commands whose cost grows with what the client sends, or with its square.

use std::time::Duration;

use super::client::{RawClient, command, long_command};
use super::{Attack, Target};
use harness::problem::Problem;

/// An answer, or a refusal, is there by then. Emulation is slow.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "command-docs",
            "COMMAND DOCS with 1.3 MB of names",
            |target| {
                send(
                    target,
                    &long_command(&[b"COMMAND", b"DOCS"], b"no-such-name", 65_000),
                )
            },
        )
        .quick(),
        Attack::new(
            "command-info",
            "COMMAND INFO with 100,000 names like `client|x`",
            |target| {
                send(
                    target,
                    &long_command(&[b"COMMAND", b"INFO"], b"client|x", 100_000),
                )
            },
        )
        .quick(),
        Attack::new("set-options", "SET with a million options", |target| {
            send(
                target,
                &long_command(&[b"SET", b"k", b"v"], b"GET", 1_000_000),
            )
        }),
        Attack::new(
            "hello-options",
            "HELLO with 400,000 times SETNAME",
            |target| {
                send(
                    target,
                    &long_command(&[b"HELLO", b"2"], b"SETNAME", 400_000),
                )
            },
        ),
        Attack::new(
            "expire-options",
            "EXPIRE with a million options",
            |target| {
                send(
                    target,
                    &long_command(&[b"EXPIRE", b"k", b"100"], b"GT", 1_000_000),
                )
            },
        ),
        Attack::new(
            "keys-pattern",
            "KEYS with a pattern of 32 KB on keys of 64 KB",
            |target| {
                let mut client = with_long_keys(target)?;
                let sent = command(&[b"KEYS", &backtracking(32 << 10)]);
                answered(&mut client, &sent)
            },
        )
        .quick(),
        Attack::new(
            "scan-pattern",
            "SCAN with a pattern of 32 KB on keys of 64 KB",
            |target| {
                let mut client = with_long_keys(target)?;
                let sent = command(&[
                    b"SCAN",
                    b"0",
                    b"MATCH",
                    &backtracking(32 << 10),
                    b"COUNT",
                    b"1000",
                ]);
                answered(&mut client, &sent)
            },
        ),
        Attack::new(
            "config-pattern",
            "CONFIG GET with a pattern of 1 MB",
            |target| {
                send(
                    target,
                    &command(&[b"CONFIG", b"GET", &backtracking(1 << 20)]),
                )
            },
        )
        .quick(),
        Attack::new(
            "mget-many",
            "MGET of a million keys that are not there",
            |target| send(target, &long_command(&[b"MGET"], b"n", 1_000_000)),
        ),
    ]
}

/// Returns `*aa...ab`: a matcher that goes back to the star compares all of it at each place of the text.
fn backtracking(bytes: usize) -> Vec<u8> {
    let mut pattern = vec![b'a'; bytes];
    pattern[0] = b'*';
    pattern.push(b'b');
    pattern
}

fn with_long_keys(target: &Target<'_>) -> Result<RawClient, Problem> {
    let mut client = RawClient::connect(target.port)?;
    for last in *b"xyz" {
        let mut key = vec![b'a'; 64 << 10];
        key.push(last);
        let reply = client.reply(&[b"SET", &key, b"v"], PATIENCE);
        if !reply.starts_with("+OK") {
            return Err(Problem::Failed(format!("SET of a long key: {reply:?}")));
        }
    }
    Ok(client)
}

fn send(target: &Target<'_>, bytes: &[u8]) -> Result<(), Problem> {
    answered(&mut RawClient::connect(target.port)?, bytes)
}

/// Sends `bytes` and waits until something comes back: an answer, a refusal, or the end of the connection.
fn answered(client: &mut RawClient, bytes: &[u8]) -> Result<(), Problem> {
    // A server may refuse before it has read everything.
    client.send(bytes);
    let asked = std::time::Instant::now();
    let reply = client.read(1, PATIENCE);
    if reply.is_empty() && asked.elapsed() >= PATIENCE {
        return Err(Problem::Failed(format!("no answer within {PATIENCE:?}")));
    }
    Ok(())
}
