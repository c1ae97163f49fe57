//! Commands of an operator, from a client that may not give them.

use std::time::Duration;

use super::client::RawClient;
use super::{Attack, Target};
use harness::problem::{Problem, require};

/// Time for one reply.
const PATIENCE: Duration = Duration::from_secs(20);
const GUESSES: usize = 5_000;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("failover", "FAILOVER from any client", |target| {
            refused(target, &[&[b"FAILOVER"]])
        })
        .quick(),
        Attack::new(
            "debug",
            "DEBUG PANIC, HANG and others from any client",
            |target| {
                refused(
                    target,
                    &[
                        &[b"DEBUG", b"PANIC"],
                        &[b"DEBUG", b"HANG", b"all"],
                        &[b"DEBUG", b"BACKUP-PANIC"],
                        &[b"DEBUG", b"POPULATE", b"100000000"],
                    ],
                )
            },
        )
        .quick(),
        Attack::new(
            "understudy",
            "UNDERSTUDY LOAD, DISARM and others from any client",
            |target| {
                refused(
                    target,
                    &[
                        &[b"UNDERSTUDY", b"LOAD", b"x"],
                        &[b"UNDERSTUDY", b"ARM"],
                        &[b"UNDERSTUDY", b"DISARM"],
                        &[b"UNDERSTUDY", b"RETRY"],
                    ],
                )
            },
        )
        .quick(),
        Attack::new(
            "without-password",
            "commands without the password that the machine has",
            |target| {
                refused(
                    target,
                    &[
                        &[b"FLUSHALL"],
                        &[b"FAILOVER"],
                        &[b"GET", b"k"],
                        &[b"CONFIG", b"GET", b"*"],
                    ],
                )
            },
        )
        .on("requirepass=password-of-the-trial")
        .quick(),
        Attack::new("guessing", "5,000 guesses of a password", guess)
            .on("requirepass=password-of-the-trial"),
    ]
}

/// Gives each command on a connection of its own; each must be answered with an error.
fn refused(target: &Target<'_>, commands: &[&[&[u8]]]) -> Result<(), Problem> {
    for words in commands {
        let mut client = RawClient::connect(target.port)?;
        let reply = client.reply(words, PATIENCE);
        let name = String::from_utf8_lossy(words[0]).into_owned();
        require(reply.starts_with('-'), || {
            format!("{name} is answered with {reply:?}")
        })?;
    }
    Ok(())
}

fn guess(target: &Target<'_>) -> Result<(), Problem> {
    let mut client = RawClient::connect(target.port)?;
    for number in 0..GUESSES {
        let word = format!("guess-{number}");
        let reply = client.reply(&[b"AUTH", word.as_bytes()], PATIENCE);
        require(reply.starts_with('-'), || {
            format!("AUTH {word} is answered with {reply:?}")
        })?;
    }
    Ok(())
}
