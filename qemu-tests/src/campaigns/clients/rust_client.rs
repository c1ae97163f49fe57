//! redis-rs with its defaults.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use redis::{Client, Connection, RedisResult, pipe};
use serde_json::json;

const KEY: &str = "clients:redis-rs";
/// Connections that calls are made on by turns.
const CONNECTIONS: usize = 4;

/// What was called, and what came of it.
#[derive(Default)]
struct Tally {
    calls: u64,
    errors: u64,
    acknowledged: u64,
    unsure: u64,
}

impl Tally {
    /// Counts calls that increase the key `increases` times in all.
    fn count(&mut self, increases: u64, result: RedisResult<bool>, lines: &Sender<String>) {
        self.calls += increases.max(1);
        match result {
            Ok(true) => self.acknowledged += increases,
            wrong => {
                self.errors += 1;
                self.unsure += increases;
                let _ = lines.send(format!("error {wrong:?}"));
            }
        }
    }
}

/// Makes calls in rounds until `is_over`, and reports as the other clients do.
pub(super) fn run(port: u16, is_over: &AtomicBool, lines: &Sender<String>) {
    if let Err(error) = rounds(port, is_over, lines) {
        // Nobody who has stopped listening wants to know.
        let _ = lines.send(format!("error {error}"));
    }
}

fn rounds(port: u16, is_over: &AtomicBool, lines: &Sender<String>) -> RedisResult<()> {
    let client = Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connections = (0..CONNECTIONS)
        .map(|_| client.get_connection())
        .collect::<RedisResult<Vec<Connection>>>()?;
    redis::cmd("DEL").arg(KEY).exec(&mut connections[0])?;
    let mut tally = Tally::default();
    while !is_over.load(Ordering::Relaxed) {
        for call in 0..30 {
            let result = increase(&mut connections[call % CONNECTIONS]);
            tally.count(1, result, lines);
        }
        for is_atomic in [false, true] {
            let result = increase_in_a_row(&mut connections[0], is_atomic);
            tally.count(10, result, lines);
        }
        let result = store(&mut connections[0], tally.calls);
        tally.count(0, result, lines);
        let _ = lines.send("round".into());
    }
    let found: u64 = redis::cmd("GET").arg(KEY).query(&mut connections[0])?;
    tally.errors += u64::from(found > tally.acknowledged + tally.unsure);
    let lost = tally.acknowledged.saturating_sub(found);
    let last = json!({"calls": tally.calls, "errors": tally.errors, "lost": lost});
    let _ = lines.send(last.to_string());
    Ok(())
}

fn increase(connection: &mut Connection) -> RedisResult<bool> {
    let number: u64 = redis::cmd("INCR").arg(KEY).query(connection)?;
    Ok(number > 0)
}

/// Increases the key ten times in a pipeline, or in a transaction.
fn increase_in_a_row(connection: &mut Connection, is_atomic: bool) -> RedisResult<bool> {
    let mut pipeline = pipe();
    if is_atomic {
        pipeline.atomic();
    }
    for _ in 0..10 {
        pipeline.cmd("INCR").arg(KEY);
    }
    let numbers: Vec<u64> = pipeline.query(connection)?;
    let are_in_a_row = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    Ok(numbers.len() == 10 && are_in_a_row)
}

fn store(connection: &mut Connection, number: u64) -> RedisResult<bool> {
    let key = format!("{KEY}:value");
    redis::cmd("SET").arg(&key).arg(number).exec(connection)?;
    let found: u64 = redis::cmd("GET").arg(&key).query(connection)?;
    Ok(found == number)
}
