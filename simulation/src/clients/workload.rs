//! The commands of a client, and its own model of what the service must answer.

use super::reply::Expected;
use crate::machine::random::Random;

/// The key that all clients count up.
const SHARED: &str = "shared";

/// The state of one client's keys, as its commands have made it.
pub struct Workload {
    client: usize,
    count: u64,
    appended_bytes: usize,
    pushed: u64,
    kept: Option<Vec<u8>>,
}

impl Workload {
    /// Begins without any key.
    pub fn new(client: usize) -> Self {
        Self {
            client,
            count: 0,
            appended_bytes: 0,
            pushed: 0,
            kept: None,
        }
    }

    /// Draws the next command. Returns its words and what its reply must be.
    pub fn next(&mut self, random: &Random, value_bytes_max: u64) -> (Vec<String>, Expected) {
        let me = self.client;
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        match random.below(9) {
            0 | 1 => {
                self.count += 1;
                let expected = Expected::number(self.count);
                (words(&["INCR", &format!("count:{me}")]), expected)
            }
            2 => (words(&["INCR", SHARED]), Expected::SharedCount),
            3 => {
                let piece = "x".repeat(1 + random.below(value_bytes_max) as usize);
                self.appended_bytes += piece.len();
                let expected = Expected::number(self.appended_bytes as u64);
                (words(&["APPEND", &format!("text:{me}"), &piece]), expected)
            }
            4 => {
                self.pushed += 1;
                let element = format!("{me}-{}", self.pushed);
                let expected = Expected::number(self.pushed);
                (words(&["RPUSH", &format!("list:{me}"), &element]), expected)
            }
            5 => {
                let number = format!("{}", random.below(u64::MAX));
                let value = number.repeat(1 + random.below(20) as usize);
                let command = words(&["SET", &format!("kept:{me}"), &value]);
                self.kept = Some(value.into_bytes());
                (command, Expected::Exact(b"+OK\r\n".into()))
            }
            6 => {
                let expected = match &self.kept {
                    None => Expected::Exact(b"$-1\r\n".into()),
                    Some(value) => Expected::bulk(value),
                };
                (words(&["GET", &format!("kept:{me}")]), expected)
            }
            7 => (words(&["INFO", "replication"]), Expected::Text),
            _ => {
                let expected = Expected::number(self.pushed);
                (words(&["LLEN", &format!("list:{me}")]), expected)
            }
        }
    }
}
