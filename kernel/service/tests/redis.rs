//! Compares the service with Redis 7.0, byte for byte, by a recorded session. `examples/record_replies.rs` records it.

mod common;
#[path = "common/script.rs"]
mod script;

use common::{Bench, CLIENT};
use script::{Answer, Step};
use service::ServiceLimits;

#[test]
fn replies_are_those_of_redis() {
    compare(include_str!("redis-7.0.txt"), 400);
}

#[test]
fn replies_about_sorted_sets_are_those_of_redis() {
    compare(include_str!("redis-7.0-sorted-sets.txt"), 200);
}

#[test]
fn replies_about_sorting_are_those_of_redis() {
    compare(include_str!("redis-7.0-sort.txt"), 50);
}

#[test]
fn replies_about_clients_and_bits_are_those_of_redis() {
    compare(include_str!("redis-7.0-clients.txt"), 100);
}

/// Compares the replies of a session, which has more than `compared_min`.
fn compare(session: &str, compared_min: usize) {
    let steps = script::parse(session);
    let mut bench = Bench::new(ServiceLimits::default());
    let mut raw_connection = CLIENT;
    let mut last: Option<(String, bool, Answer)> = None;
    let mut compared = 0;
    let mut differences = vec![];
    for step in steps {
        match step {
            Step::Comment(_) => {}
            Step::Sleep(time_ms) => bench.pass(time_ms),
            Step::Command { line, ordered } => {
                let bytes = bench.raw(CLIENT, format!("{line}\r\n").as_bytes());
                let answer = Answer {
                    bytes,
                    closed: false,
                };
                last = Some((line, ordered, answer));
            }
            Step::Unrecorded(line) => {
                bench.raw(CLIENT, format!("{line}\r\n").as_bytes());
            }
            Step::Raw(text) => {
                raw_connection += 1;
                bench.open(raw_connection);
                let bytes = bench.raw(raw_connection, &script::unescape(&text));
                let closed = bench.host.hung_up.contains(&raw_connection);
                last = Some((text, true, Answer { bytes, closed }));
            }
            Step::Reply(expected) => {
                let (line, ordered, found) = last.take().expect("a reply answers a command");
                compared += 1;
                if !same(&found, &expected, ordered) {
                    differences.push(format!(
                        "{line}\n   redis: {} {}\n service: {} {}",
                        script::escape(&expected.bytes),
                        expected.closed,
                        script::escape(&found.bytes),
                        found.closed,
                    ));
                }
            }
        }
    }
    assert!(
        compared > compared_min,
        "only {compared} replies were compared"
    );
    assert!(
        differences.is_empty(),
        "{} of {compared} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn same(found: &Answer, expected: &Answer, ordered: bool) -> bool {
    let sorted = |reply: &[u8]| {
        let mut leaves = common::leaves(reply);
        leaves.sort();
        leaves
    };
    found.closed == expected.closed
        && if ordered {
            found.bytes == expected.bytes
        } else {
            sorted(&found.bytes) == sorted(&expected.bytes)
        }
}
