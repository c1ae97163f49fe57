//! Memory: what clients make the machine keep.

use std::time::Duration;

use super::client::{RawClient, command};
use super::{Attack, Target};
use harness::client;
use harness::problem::{Problem, require};

/// What was sent is with the guest by then.
const SETTLED: Duration = Duration::from_millis(500);
/// Time for one reply.
const PATIENCE: Duration = Duration::from_secs(20);
/// More values than fit.
const VALUES_MAX: usize = 400;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("setname-long", "20 clients with names of 4.7 MiB", setname),
        Attack::new(
            "empty-arguments",
            "three million empty arguments of unfinished requests",
            |target| {
                let mut request = b"*1000000\r\n".to_vec();
                request.extend(b"$0\r\n\r\n".repeat(999_999));
                hold(target, 3, &request)
            },
        ),
        Attack::new(
            "unfinished-small",
            "200 requests of 60 KB without their last byte",
            |target| hold(target, 200, &unfinished(60 << 10)),
        )
        .quick(),
        Attack::new(
            "unfinished-large",
            "27 MB of unfinished requests on three connections",
            |target| hold(target, 3, &unfinished(9 << 20)),
        )
        .quick(),
        Attack::new(
            "announced",
            "100 values of 10 MB, announced and never sent",
            |target| hold(target, 100, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n"),
        )
        .quick(),
        Attack::new(
            "memory-full",
            "values until -OOM, then all of them are deleted",
            |target| {
                fill(target)?;
                flush(target)
            },
        ),
        Attack {
            takeovers: 1,
            ..Attack::new(
                "full-and-killed",
                "a takeover with a full store",
                |target| {
                    fill(target)?;
                    let keys: u64 = client::ask(target.port, "DBSIZE")?;
                    client::inject(target.port, "DEBUG PANIC")?;
                    target.machine.wait_takeover(2)?;
                    let left: u64 = client::ask(target.port, "DBSIZE")?;
                    require(left == keys, || format!("{left} keys of {keys} are left"))?;
                    flush(target)
                },
            )
            .on("debug=1")
        },
    ]
}

fn unfinished(bytes: usize) -> Vec<u8> {
    let mut request = command(&[b"SET", b"k", &vec![b'v'; bytes]]);
    request.truncate(request.len() - 3);
    request
}

/// Sends `bytes` on `count` connections, and keeps them open for a while.
fn hold(target: &Target<'_>, count: usize, bytes: &[u8]) -> Result<(), Problem> {
    let mut clients = RawClient::many(target.port, count);
    // The server may hang up on any of them.
    clients.iter_mut().for_each(|client| {
        client.send(bytes);
    });
    std::thread::sleep(SETTLED);
    Ok(())
}

fn setname(target: &Target<'_>) -> Result<(), Problem> {
    const NAME_BYTES: usize = 4_928_307;
    let name = vec![b'n'; NAME_BYTES];
    let mut clients = RawClient::many(target.port, 20);
    for client in &mut clients {
        client.ask(&[b"CLIENT", b"SETNAME", &name]);
        // An answer, a refusal, or a hang-up.
        client.read(1, PATIENCE);
    }
    Ok(())
}

fn fill(target: &Target<'_>) -> Result<(), Problem> {
    let mut client = RawClient::connect(target.port)?;
    let value = vec![b'v'; 1 << 20];
    for number in 0..VALUES_MAX {
        let key = format!("filling-{number}");
        let reply = client.reply(&[b"SET", key.as_bytes(), &value], PATIENCE);
        if reply.starts_with("-OOM") {
            return Ok(());
        }
        require(reply.starts_with("+OK"), || {
            format!("SET {number} of 1 MiB: {reply:?}")
        })?;
    }
    Err(Problem::Failed(format!(
        "{VALUES_MAX} values of 1 MiB, and no -OOM"
    )))
}

fn flush(target: &Target<'_>) -> Result<(), Problem> {
    let mut client = RawClient::connect(target.port)?;
    let reply = client.reply(&[b"FLUSHALL"], PATIENCE);
    require(reply.starts_with("+OK"), || format!("FLUSHALL: {reply:?}"))
}
