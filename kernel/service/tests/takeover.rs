//! What clients have begun survives a takeover: a backup that restores the state from a checkpoint goes on with it.

mod common;

use ::checkpoint::{Items, Sequence, Writer};
use common::{Bench, CLIENT};
use service::{ServiceLimits, ServiceRestorer};

const SECTION: u8 = 3;
const OTHER: u64 = 2;

/// Replaces the service by the one that a new backup makes of its checkpoint.
fn take_over(bench: &mut Bench) {
    let (mut sequence, mut records) = (Sequence::default(), Vec::new());
    let mut sink = |payload: &[u8]| records.push(payload.to_vec());
    bench.service.begin_checkpoint();
    let mut writer = Writer::new(SECTION, &mut sequence, &mut sink);
    while !bench.service.write_keyspace(&mut writer, 1 << 20) {}
    bench.service.end_checkpoint(&mut writer);
    drop(writer);
    let mut restorer = ServiceRestorer::new(ServiceLimits::default());
    let mut sequence = Sequence::default();
    for record in &records {
        let (_, items) = Items::of(record, &mut sequence).unwrap();
        restorer.restore(items, &mut || ()).unwrap();
    }
    bench.service = restorer.finish().unwrap();
}

fn bench() -> Bench {
    let mut bench = Bench::new(ServiceLimits::default());
    bench.open(OTHER);
    bench
}

fn other(bench: &mut Bench, line: &str) -> String {
    let reply = bench.raw(OTHER, format!("{line}\r\n").as_bytes());
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn a_transaction_that_was_begun_is_carried_out() {
    let mut bench = bench();
    bench.send("MULTI");
    bench.send("SET a 1");
    bench.send("INCR a");
    take_over(&mut bench);
    assert_eq!(other(&mut bench, "GET a"), "$-1\r\n");
    assert_eq!(bench.send("GET a"), "+QUEUED\r\n");
    assert_eq!(bench.send("EXEC"), "*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n");
    // One that was refused stays refused.
    bench.send("MULTI");
    bench.send("NOSUCH");
    take_over(&mut bench);
    bench.send("SET a 3");
    assert!(bench.send("EXEC").starts_with("-EXECABORT "));
    assert_eq!(bench.send("GET a"), "$1\r\n2\r\n");
}

#[test]
fn a_watched_key_that_changes_before_or_after_fails_the_transaction() {
    for is_changed_before in [true, false] {
        let mut bench = bench();
        bench.send("SELECT 3");
        bench.send("WATCH a");
        other(&mut bench, "SELECT 3");
        if is_changed_before {
            other(&mut bench, "SET a 1");
            take_over(&mut bench);
        } else {
            take_over(&mut bench);
            other(&mut bench, "SET a 1");
        }
        bench.send("MULTI");
        assert_eq!(bench.send("GET a"), "+QUEUED\r\n");
        assert_eq!(bench.send("EXEC"), "*-1\r\n");
    }
    let mut bench = bench();
    bench.send("WATCH a");
    take_over(&mut bench);
    bench.send("MULTI");
    assert_eq!(bench.send("EXEC"), "*0\r\n");
}

#[test]
fn the_selected_database_and_the_protocol_stay() {
    let mut bench = bench();
    bench.send("SELECT 7");
    bench.send("SET a seven");
    bench.send("HELLO 3");
    take_over(&mut bench);
    assert_eq!(bench.send("GET a"), "$5\r\nseven\r\n");
    assert_eq!(bench.send("GET nosuch"), "_\r\n");
    assert_eq!(other(&mut bench, "GET a"), "$-1\r\n");
}

#[test]
fn a_subscriber_gets_what_is_published_later() {
    let mut bench = bench();
    assert_eq!(
        bench.send("SUBSCRIBE news"),
        "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
    );
    bench.send("PSUBSCRIBE n*");
    take_over(&mut bench);
    assert_eq!(other(&mut bench, "PUBLISH news hello"), ":2\r\n");
    bench.apply(service::Input::Bytes {
        connection: OTHER,
        bytes: b"PUBLISH news hello\r\n",
    });
    let told = String::from_utf8(bench.host.sent_to(CLIENT)).unwrap();
    assert_eq!(
        told,
        "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n\
         *4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
    );
    bench.host.replies.clear();
    // Who is gone subscribes to nothing.
    bench.apply(service::Input::Close { connection: CLIENT });
    assert_eq!(other(&mut bench, "PUBLISH news hello"), ":0\r\n");
    assert_eq!(other(&mut bench, "PUBSUB CHANNELS"), "*0\r\n");
}
