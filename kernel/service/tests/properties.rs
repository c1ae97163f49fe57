//! What must hold whatever the input: the cut of the stream does not matter, nothing panics, and the same records give the same
//! state and the same replies.

mod common;

use common::{Bench, CLIENT, Recorder, request};
use proptest::prelude::*;
use service::{ConnectionId, Input, Limits, Record, Service, Stamp};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A command on few keys, so that they meet.
fn command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = prop::sample::select(vec!["a", "b", "c", "a long key that is not stored inline"]);
    let word = prop_oneof![
        prop::sample::select(vec![
            "",
            "1",
            "-7",
            "9223372036854775807",
            "x",
            "NX",
            "XX",
            "GET",
            "EX",
            "*",
            "0"
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let name = prop::sample::select(vec![
        "SET",
        "GET",
        "GETSET",
        "SETNX",
        "APPEND",
        "STRLEN",
        "DEL",
        "EXISTS",
        "INCR",
        "INCRBY",
        "MSET",
        "MGET",
        "EXPIRE",
        "PEXPIRE",
        "TTL",
        "PERSIST",
        "TYPE",
        "KEYS",
        "SCAN",
        "DBSIZE",
        "LPUSH",
        "RPUSH",
        "LPOP",
        "RPOP",
        "LLEN",
        "LRANGE",
        "HSET",
        "HGET",
        "HDEL",
        "HGETALL",
        "SADD",
        "SREM",
        "SMEMBERS",
        "SCARD",
        "SISMEMBER",
        "PING",
        "ECHO",
        "SELECT",
        "CLIENT",
        "INFO",
        "nosuch",
    ]);
    (name, key, prop::collection::vec(word, 0..4)).prop_map(|(name, key, words)| {
        let mut command = vec![name.as_bytes().to_vec(), key.as_bytes().to_vec()];
        command.extend(words);
        command
    })
}

/// The same with chance and time in it.
fn any_command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let fixed = |words: &[&str]| Just(words.iter().map(|word| word.as_bytes().to_vec()).collect());
    prop_oneof![
        12 => command(),
        1 => fixed(&["SADD", "a", "1", "2", "3", "4", "5", "6"]),
        1 => fixed(&["SPOP", "a"]),
        1 => fixed(&["SPOP", "a", "2"]),
        1 => fixed(&["SET", "b", "x", "PX", "30"]),
        1 => fixed(&["PEXPIRE", "a", "50"]),
        1 => fixed(&["DEBUG", "POPULATE", "20"]),
        1 => fixed(&["FLUSHALL"]),
    ]
}

fn encoded(command: &[Vec<u8>]) -> Vec<u8> {
    let arguments: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
    request(&arguments)
}

/// A stream of requests, as arrays and inline, sometimes with something strange between.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        20 => command().prop_map(|command| encoded(&command)),
        4 => "(SET|GET|PING|ECHO)( [a-c]| \"x y\"| '\\\\n'){0,3}\r?\n".prop_map(String::into_bytes),
        1 => prop::sample::select(vec!["\r\n", "*0\r\n", "*-1\r\n", "QUIT\r\n", "*1\r\n:\r\n", "\"\r\n", "*x\r\n", "*1\r\n$-1\r\n"]).prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}

#[derive(Clone, Debug)]
enum Event {
    Open(ConnectionId),
    Bytes(ConnectionId, Vec<u8>),
    Close(ConnectionId),
    Tick,
}

fn event() -> impl Strategy<Value = (Event, u64, u64)> {
    let bytes = prop_oneof![
        8 => prop::collection::vec(any_command(), 1..5).prop_map(|commands| commands.iter().flat_map(|command| encoded(command)).collect()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ];
    let event = prop_oneof![
        3 => (0..4_u64).prop_map(Event::Open),
        12 => (0..4_u64, bytes).prop_map(|(connection, bytes)| Event::Bytes(connection, bytes)),
        1 => (0..4_u64).prop_map(Event::Close),
        2 => Just(Event::Tick),
    ];
    (event, 0..40_u64, any::<u64>())
}

fn record<'a>(event: &'a Event, stamp: Stamp) -> Record<'a> {
    let input = match event {
        Event::Open(connection) => Input::Open {
            connection: *connection,
            peer: [10, 0, 0, 2, 1, 2],
        },
        Event::Bytes(connection, bytes) => Input::Bytes {
            connection: *connection,
            bytes,
        },
        Event::Close(connection) => Input::Close {
            connection: *connection,
        },
        Event::Tick => Input::Tick,
    };
    Record { stamp, input }
}

fn limits() -> Limits {
    Limits {
        debug: true,
        max_clients: 3,
        max_memory_bytes: 40_000,
        ..Limits::default()
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn the_cut_of_the_stream_does_not_matter(bytes in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut whole = Bench::new(Limits::default());
        let expected = whole.raw(CLIENT, &bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut parts = Bench::new(Limits::default());
        let mut reply = vec![];
        for ends in cuts.windows(2) {
            reply.extend(parts.raw(CLIENT, &bytes[ends[0]..ends[1]]));
        }
        prop_assert_eq!(String::from_utf8_lossy(&reply), String::from_utf8_lossy(&expected));
        prop_assert_eq!(&parts.host.hung_up, &whole.host.hung_up);
        prop_assert_eq!(parts.digest(), whole.digest());
        prop_assert_eq!(parts.service.pending_bytes(), whole.service.pending_bytes());
    }

    #[test]
    fn the_same_records_give_the_same_state_and_replies(events in prop::collection::vec(event(), 1..40)) {
        let (mut primary, mut backup) = (Service::new(limits()), Service::new(limits()));
        let (mut primary_host, mut backup_host) = (Recorder::default(), Recorder::default());
        let mut time_ms = 1_000;
        for (event, passed_ms, entropy) in &events {
            time_ms += passed_ms;
            let stamp = Stamp { time_ms, entropy: *entropy };
            let record = record(event, stamp);
            primary.apply(&record, &mut primary_host);
            let mut journal = vec![];
            record.encode(&mut journal);
            prop_assert_eq!(journal.len(), record.encoded_len());
            let read = Record::decode(&journal).unwrap();
            prop_assert_eq!(read, record);
            backup.apply(&read, &mut backup_host);
            prop_assert!(primary.used_bytes() <= 40_000);
        }
        prop_assert_eq!(primary_host, backup_host);
        prop_assert_eq!(primary.digest(|| ()), backup.digest(|| ()));
        prop_assert_eq!(primary.next_expiry_ms(), backup.next_expiry_ms());
        prop_assert_eq!(primary.pending_bytes(), backup.pending_bytes());
    }

    /// Every byte that was put on the account is taken off again, whatever happened in between.
    #[test]
    fn the_account_is_balanced(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut bench = Bench::with_debug();
        for command in commands {
            bench.raw(CLIENT, &encoded(&command));
            bench.pass(7);
        }
        let keys = bench.raw(CLIENT, b"KEYS *\r\n");
        for key in common::leaves(&keys) {
            let deletion = [b"*2\r\n$3\r\nDEL\r\n".to_vec(), key].concat();
            prop_assert_eq!(bench.raw(CLIENT, &deletion), b":1\r\n");
        }
        bench.pass(1_000_000_000_000);
        bench.tick();
        prop_assert_eq!((bench.service.key_count(), bench.service.used_bytes()), (0, 0));
    }

    #[test]
    fn hostile_bytes_never_panic_and_take_bounded_memory(
        parts in prop::collection::vec((0..3_u64, prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            stream(),
            r"\*[0-9]{1,8}\r\n(\$[0-9]{1,6}\r\n[a-z]{0,9}(\r\n)?){0,4}".prop_map(String::into_bytes),
        ]), 1..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bench = Bench::new(Limits {
            max_request_bytes: 100_000,
            max_pending_bytes: 150_000,
            ..limits()
        });
        for (connection, mut bytes) in parts {
            for (at, byte) in &flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
            }
            bench.open(connection);
            bench.raw(connection, &bytes);
            prop_assert!(bench.service.pending_bytes() <= 150_000);
            prop_assert!(bench.service.used_bytes() <= 40_000);
        }
    }

    #[test]
    fn decoding_never_panics_and_gives_back_what_was_encoded(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 0..6_u8) {
        let mut bytes = bytes;
        if let Some(byte) = bytes.get_mut(service::HEADER_BYTES - 1) {
            *byte = kind;
        }
        if let Ok(record) = Record::decode(&bytes) {
            let mut again = vec![];
            record.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}
