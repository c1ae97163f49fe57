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
fn who_waits_is_served_in_turn_and_goes_on_with_what_it_has_sent() {
    let mut bench = bench();
    bench.open(3);
    assert_eq!(bench.send("BLPOP list other 0"), "");
    assert_eq!(bench.send("PING one"), "");
    assert_eq!(bench.raw(3, b"BLMOVE list moved LEFT RIGHT 0\r\nPI"), b"");
    take_over(&mut bench);
    assert_eq!(bench.raw(3, b"NG two\r\n"), b"");
    let told = |bench: &mut Bench, line: &str| {
        bench.host.replies.clear();
        let bytes = format!("{line}\r\n").into_bytes();
        let connection = OTHER;
        bench.apply(service::Input::Bytes {
            connection,
            bytes: &bytes,
        });
        [OTHER, CLIENT, 3].map(|to| String::from_utf8(bench.host.sent_to(to)).unwrap())
    };
    // The reply of a push counts what the others have not taken yet.
    let replies = told(&mut bench, "RPUSH list a b c");
    assert_eq!(
        replies,
        [
            ":3\r\n",
            "*2\r\n$4\r\nlist\r\n$1\r\na\r\n$3\r\none\r\n",
            "$1\r\nb\r\n$3\r\ntwo\r\n"
        ]
    );
    assert_eq!(other(&mut bench, "LRANGE moved 0 -1"), "*1\r\n$1\r\nb\r\n");
    assert_eq!(other(&mut bench, "LRANGE list 0 -1"), "*1\r\n$1\r\nc\r\n");
    // Nobody takes what is there only within a transaction.
    assert_eq!(bench.send("BZPOPMIN z 0"), "");
    take_over(&mut bench);
    for line in ["MULTI", "ZADD z 1 a", "DEL z", "EXEC"] {
        assert_eq!(told(&mut bench, line)[1], "", "{line}");
    }
    assert_eq!(
        told(&mut bench, "ZADD z 2 b")[1],
        "*3\r\n$1\r\nz\r\n$1\r\nb\r\n$1\r\n2\r\n"
    );
    assert_eq!(other(&mut bench, "EXISTS z"), ":0\r\n");
}

#[test]
fn a_wait_ends_at_its_time_and_with_its_connection() {
    let mut bench = bench();
    assert_eq!(bench.send("BLPOP list 0.5"), "");
    take_over(&mut bench);
    let now_ms = bench.stamp.time_ms;
    assert_eq!(bench.service.next_expiry_ms(), Some(now_ms + 500));
    bench.pass(499);
    bench.tick();
    assert_eq!(bench.host.sent_to(CLIENT), b"");
    bench.pass(1);
    bench.tick();
    assert_eq!(bench.host.sent_to(CLIENT), b"*-1\r\n");
    assert_eq!(bench.service.next_expiry_ms(), None);
    assert_eq!(other(&mut bench, "RPUSH list a"), ":1\r\n");
    assert_eq!(other(&mut bench, "LLEN list"), ":1\r\n");
    assert_eq!(bench.send("BLPOP nothing 0"), "");
    assert!(other(&mut bench, "INFO clients").contains("blocked_clients:1"));
    bench.apply(service::Input::Close { connection: CLIENT });
    assert!(other(&mut bench, "INFO clients").contains("blocked_clients:0"));
    assert_eq!(other(&mut bench, "RPUSH nothing a"), ":1\r\n");
    assert_eq!(other(&mut bench, "LLEN nothing"), ":1\r\n");
    assert_eq!(bench.service.pending_bytes(), 0);
}

#[test]
fn a_wait_is_ended_by_another_client() {
    let mut bench = bench();
    let id = bench
        .send("CLIENT ID")
        .trim_start_matches(':')
        .trim()
        .to_string();
    for (how, reply) in [
        ("TIMEOUT", "*-1\r\n"),
        (
            "ERROR",
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
        ),
    ] {
        assert_eq!(bench.send("BLPOP list 0"), "");
        bench.apply(service::Input::Bytes {
            connection: OTHER,
            bytes: format!("CLIENT UNBLOCK {id} {how}\r\n").as_bytes(),
        });
        assert_eq!(bench.host.sent_to(OTHER), b":1\r\n");
        assert_eq!(
            String::from_utf8(bench.host.sent_to(CLIENT)).unwrap(),
            reply
        );
    }
    assert_eq!(other(&mut bench, &format!("CLIENT UNBLOCK {id}")), ":0\r\n");
}

#[test]
fn who_waits_for_another_type_waits_on() {
    let mut bench = bench();
    bench.open(3);
    assert_eq!(bench.send("BLPOP key 0"), "");
    assert_eq!(bench.raw(3, b"BZPOPMAX key 0\r\n"), b"");
    other(&mut bench, "SET string x");
    assert_eq!(other(&mut bench, "ZADD key 1 a"), ":1\r\n");
    assert_eq!(other(&mut bench, "EXISTS key"), ":0\r\n");
    other(&mut bench, "RPUSH list a");
    assert_eq!(other(&mut bench, "RENAME list key"), "+OK\r\n");
    assert_eq!(other(&mut bench, "EXISTS key"), ":0\r\n");
    assert_eq!(bench.send("PING"), "+PONG\r\n");
    // What cannot be moved stays.
    assert_eq!(bench.send("BLMOVE source string LEFT LEFT 0"), "");
    bench.apply(service::Input::Bytes {
        connection: OTHER,
        bytes: b"RPUSH source a\r\n",
    });
    assert!(bench.host.sent_to(CLIENT).starts_with(b"-WRONGTYPE"));
    assert_eq!(other(&mut bench, "LLEN source"), ":1\r\n");
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

/// Sends a line on the other connection. Returns what the client gets.
fn shown(bench: &mut Bench, line: &str) -> String {
    bench.host.replies.clear();
    let bytes = format!("{line}\r\n").into_bytes();
    bench.apply(service::Input::Bytes {
        connection: OTHER,
        bytes: &bytes,
    });
    let shown = String::from_utf8(bench.host.sent_to(CLIENT)).unwrap();
    // The time is the first word, and the client the third.
    let lines = shown.split_inclusive("\r\n");
    lines
        .map(|line| {
            let (time, rest) = line.split_once(" [").unwrap();
            assert!(time.starts_with('+') && time.ends_with("000"), "{time}");
            let (database, rest) = rest.split_once(' ').unwrap();
            let (_, words) = rest.split_once(']').unwrap();
            format!("{database}{words}")
        })
        .collect()
}

/// Expects what Redis 7.0.15 shows of the same commands.
#[test]
fn who_monitors_is_shown_what_runs() {
    let mut bench = bench();
    assert_eq!(bench.send("MONITOR"), "+OK\r\n");
    take_over(&mut bench);
    let expected = [
        ("PING", "0 \"PING\"\r\n"),
        (
            r#"set a "x \x01\xff\"\\\n\r\t\a\b""#,
            "0 \"set\" \"a\" \"x \\x01\\xff\\\"\\\\\\n\\r\\t\\a\\b\"\r\n",
        ),
        ("GET", ""),
        ("NOSUCH a", ""),
        ("SELECT 2", "2 \"SELECT\" \"2\"\r\n"),
        ("MULTI", "2 \"MULTI\"\r\n"),
        ("INCR n", ""),
        ("LPUSH n 1", ""),
        (
            "EXEC",
            "2 \"INCR\" \"n\"\r\n2 \"LPUSH\" \"n\" \"1\"\r\n2 \"EXEC\"\r\n",
        ),
        ("AUTH x", "2 \"AUTH\" \"(redacted)\"\r\n"),
        (
            "AUTH default y",
            "2 \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n",
        ),
        (
            "HELLO 3 AUTH default z SETNAME me",
            "2 \"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"me\"\r\n",
        ),
        ("CONFIG GET save", ""),
        ("CLIENT ID", "2 \"CLIENT\" \"ID\"\r\n"),
        ("RESET", "0 \"RESET\"\r\n"),
    ];
    for (line, what) in expected {
        assert_eq!(shown(&mut bench, line), what, "{line}");
    }
    assert!(bench.send("CLIENT INFO").contains(" flags=O "));
    bench.send("RESET");
    assert_eq!(shown(&mut bench, "PING"), "");
    bench.send("MONITOR");
    bench.apply(service::Input::Close { connection: CLIENT });
    assert_eq!(shown(&mut bench, "PING"), "");
}

#[test]
fn who_wants_no_replies_gets_none() {
    let mut bench = bench();
    assert_eq!(bench.send("CLIENT REPLY OFF"), "");
    take_over(&mut bench);
    assert_eq!(
        bench.send("SUBSCRIBE c"),
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    );
    assert_eq!(bench.send("PING"), "");
    take_over(&mut bench);
    bench.host.replies.clear();
    bench.apply(service::Input::Bytes {
        connection: OTHER,
        bytes: b"PUBLISH c hello\r\n",
    });
    let told = String::from_utf8(bench.host.sent_to(CLIENT)).unwrap();
    assert_eq!(told, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n");
    bench.send("UNSUBSCRIBE");
    assert_eq!(bench.send("CLIENT REPLY ON"), "+OK\r\n");
    // One that waits is not over: it is its reply that is skipped.
    bench.send("CLIENT REPLY SKIP");
    take_over(&mut bench);
    assert_eq!(bench.send("BLPOP l 0"), "");
    take_over(&mut bench);
    bench.host.replies.clear();
    other(&mut bench, "RPUSH l a");
    assert_eq!(bench.host.sent_to(CLIENT), b"");
    assert_eq!(bench.send("PING"), "+PONG\r\n");
}

#[test]
fn a_client_that_is_killed_is_gone() {
    let mut bench = bench();
    bench.open(3);
    let lines = |bench: &mut Bench| bench.send("CLIENT LIST").matches("id=").count();
    assert_eq!(lines(&mut bench), 3);
    assert_eq!(bench.send(&format!("CLIENT KILL ID {OTHER}")), ":1\r\n");
    assert_eq!(bench.host.hung_up, [OTHER]);
    assert!(!bench.service.is_open(OTHER));
    assert_eq!(lines(&mut bench), 2);
    // One that waits and watches is forgotten whole, the own connection ends behind the reply.
    bench.raw(3, b"WATCH k\r\nBLPOP l 0\r\n");
    assert_eq!(bench.send("CLIENT KILL TYPE normal SKIPME no"), ":2\r\n");
    assert_eq!(bench.host.hung_up, [OTHER, 3, CLIENT]);
    assert_eq!(bench.service.connection_count(), 0);
    assert_eq!(bench.service.pending_bytes(), 0);
}
