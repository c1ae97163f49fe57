//! What the operator does on a Linux tenant: the service of the guest runs `understudyctl`.

use std::thread;
use std::time::{Duration, Instant};

use harness::linux::http::{self, HttpReply};
use harness::machine::QemuMachine;
use harness::problem::{Problem, require_equal};

/// The service starts an order at once.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// How long an order may take.
const END_LIMIT: Duration = Duration::from_secs(60);

/// Between two questions whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code of `understudyctl`.
    pub exit: u8,
    /// The lines that it printed.
    pub lines: Vec<String>,
}

/// Lets the primary run `understudyctl` with these words, and waits for its end.
///
/// # Errors
/// The service does not answer, or the order does not end.
pub fn give(machine: &QemuMachine, line: &str) -> Result<Outcome, Problem> {
    let ask = |method: &str, body: &str| -> Result<HttpReply, Problem> {
        http::request(
            machine.port()?,
            method,
            "/order",
            body.as_bytes(),
            REPLY_LIMIT,
        )
        .map_err(|error| Problem::Failed(format!("the order {line}: {error}")))
    };
    require_equal("the answer to an order", ask("POST", line)?.status, 200)?;
    let until = Instant::now() + machine.time_left().min(END_LIMIT);
    loop {
        let reply = ask("GET", "")?;
        if reply.status == 200 {
            let outcome = Outcome::parse(&reply.text());
            return outcome.ok_or_else(|| Problem::Failed(format!("{line}: {}", reply.text())));
        }
        if Instant::now() > until {
            return Err(Problem::TimedOut(format!("the order {line} does not end")));
        }
        thread::sleep(LOOK);
    }
}

impl Outcome {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        Some(Self {
            exit: lines.next()?.parse().ok()?,
            lines: lines.map(String::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_comes_first() {
        let outcome = Outcome::parse("1\na b\nc\n").unwrap();
        assert_eq!(
            (outcome.exit, outcome.lines),
            (1, vec!["a b".into(), "c".into()])
        );
        assert_eq!(Outcome::parse("a\n"), None);
    }
}
