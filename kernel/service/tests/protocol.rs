//! Connections, limits and reports of progress.

mod common;

use common::{Bench, CLIENT, request};
use service::testing::RecordingHost;
use service::{BULK_MAX_BYTES, Input, ServiceLimits};

#[test]
fn clients_beyond_the_limit_are_turned_away() {
    let mut bench = Bench::new(ServiceLimits {
        max_clients: 2,
        ..ServiceLimits::default()
    });
    bench.open(2);
    bench.open(3);
    assert_eq!(
        bench.host.sent_to(3),
        b"-ERR max number of clients reached\r\n"
    );
    assert_eq!(
        (bench.host.hung_up.clone(), bench.service.connection_count()),
        (vec![3], 2)
    );
    bench.apply(Input::Close { connection: 2 });
    bench.open(4);
    assert_eq!(bench.raw(4, b"PING\r\n"), b"+PONG\r\n");
}

#[test]
fn records_for_unknown_connections_are_ignored() {
    let mut bench = Bench::new(ServiceLimits::default());
    bench.host = RecordingHost::default();
    bench.apply(Input::Bytes {
        connection: 77,
        bytes: b"SET a 1\r\n",
    });
    bench.apply(Input::Close { connection: 77 });
    assert_eq!(bench.host, RecordingHost::default());
    assert_eq!(bench.service.key_count(), 0);
}

#[test]
fn after_a_hang_up_nothing_is_done_for_the_connection() {
    let mut bench = Bench::new(ServiceLimits::default());
    assert_eq!(bench.raw(CLIENT, b"QUIT\r\nSET a 1\r\n"), b"+OK\r\n");
    assert_eq!(bench.host.hung_up, [CLIENT]);
    assert_eq!(bench.raw(CLIENT, b"SET a 1\r\n"), b"");
    bench.apply(Input::Close { connection: CLIENT });
    assert_eq!(
        (bench.service.key_count(), bench.host.hung_up.len()),
        (0, 1)
    );
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let mut bench = Bench::new(ServiceLimits::default());
    let bytes = [
        request(&[b"SET", b"a", b"1\r\n2"]),
        request(&[b"GET", b"a"]),
        b"PING x\r\n".to_vec(),
    ]
    .concat();
    let mut reply = vec![];
    for byte in bytes {
        reply.extend(bench.raw(CLIENT, &[byte]));
    }
    assert_eq!(reply, b"+OK\r\n$4\r\n1\r\n2\r\n$1\r\nx\r\n");
    assert_eq!(bench.service.pending_bytes(), 0);
}

#[test]
fn the_largest_value_fits_and_a_larger_one_does_not() {
    let mut bench = Bench::new(ServiceLimits::default());
    let value = vec![b'v'; BULK_MAX_BYTES];
    let bytes = request(&[b"SET", b"big", &value]);
    for part in bytes.chunks(100_000) {
        let reply = bench.raw(CLIENT, part);
        assert!(reply.is_empty() || reply == b"+OK\r\n");
    }
    let reply = bench.raw(CLIENT, b"GET big\r\n");
    assert_eq!(reply.len(), BULK_MAX_BYTES + "$16777216\r\n\r\n".len());
    assert!(reply.ends_with(b"vvv\r\n"));
    let reply = bench.raw(
        CLIENT,
        format!("*2\r\n$3\r\nGET\r\n${}\r\n", BULK_MAX_BYTES + 1).as_bytes(),
    );
    assert_eq!(reply, b"-ERR Protocol error: invalid bulk length\r\n");
    assert_eq!(bench.host.hung_up, [CLIENT]);
}

#[test]
fn a_request_has_a_limit_in_bytes_and_in_arguments() {
    let mut bench = Bench::new(ServiceLimits {
        max_request_bytes: 1000,
        ..ServiceLimits::default()
    });
    bench.open(2);
    assert_eq!(
        bench.raw(CLIENT, &request(&[b"ECHO", &[b'x'; 900]])).len(),
        900 + "$900\r\n\r\n".len()
    );
    let refusal = b"-ERR Protocol error: too big request, its arguments may take 1000 bytes\r\n";
    assert_eq!(
        bench.raw(CLIENT, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$950\r\nx"),
        refusal
    );
    // Many empty arguments take memory too.
    let empty = [b"*100\r\n".to_vec(), b"$0\r\n\r\n".repeat(100)].concat();
    assert_eq!(bench.raw(2, &empty), refusal);
    assert_eq!(bench.host.hung_up, [CLIENT, 2]);
    bench.open(3);
    assert_eq!(
        bench.raw(3, b"*1048577\r\n"),
        b"-ERR Protocol error: invalid multibulk length\r\n"
    );
    bench.open(4);
    assert_eq!(bench.raw(4, b"*1048576\r\n"), b"");
    assert_eq!(bench.service.pending_bytes(), 0);
}

#[test]
fn unfinished_requests_share_a_limit() {
    let mut bench = Bench::new(ServiceLimits {
        max_pending_bytes: 10_000,
        ..ServiceLimits::default()
    });
    bench.open(2);
    let unfinished = [b"*2\r\n$4\r\nECHO\r\n$7000\r\n".to_vec(), vec![b'x'; 6000]].concat();
    assert_eq!(bench.raw(CLIENT, &unfinished), b"");
    let pending = bench.service.pending_bytes();
    assert!((6000..8000).contains(&pending), "{pending}");
    // As many bytes again are too many; of two who keep the same, the last one pays.
    let reply = bench.raw(2, &unfinished);
    assert!(reply.starts_with(b"-ERR Protocol error: too many bytes in unfinished requests"));
    assert_eq!(
        (bench.host.hung_up.clone(), bench.service.pending_bytes()),
        (vec![2], pending)
    );
    bench.apply(Input::Close { connection: CLIENT });
    assert_eq!(bench.service.pending_bytes(), 0);
}

#[test]
fn who_keeps_most_pays_and_not_who_comes_next() {
    let mut bench = Bench::new(ServiceLimits {
        max_pending_bytes: 10_000,
        ..ServiceLimits::default()
    });
    bench.open(2);
    bench.open(3);
    let unfinished =
        |bytes| [b"*2\r\n$4\r\nECHO\r\n$9000\r\n".to_vec(), vec![b'x'; bytes]].concat();
    assert_eq!(bench.raw(CLIENT, &unfinished(8000)), b"");
    bench.apply(Input::Bytes {
        connection: 2,
        bytes: &unfinished(1000)[..20],
    });
    // A request in two pieces, beside one that is large and not finished: the other one has to go.
    let request = request(&[b"ECHO", &[b'y'; 3000]]);
    assert_eq!(bench.raw(3, &request[..3000]), b"");
    assert_eq!(bench.host.hung_up, [CLIENT]);
    assert_eq!(
        bench.raw(3, &request[3000..]).len(),
        b"$3000\r\n\r\n".len() + 3000
    );
    assert!(bench.service.is_open(2) && bench.service.is_open(3));
}

#[test]
fn a_client_that_has_stopped_in_a_request_pays_before_one_that_sends() {
    let mut bench = Bench::new(ServiceLimits {
        max_pending_bytes: 10_000,
        ..ServiceLimits::default()
    });
    bench.open(2);
    let unfinished =
        |bytes| [b"*2\r\n$4\r\nECHO\r\n$9000\r\n".to_vec(), vec![b'x'; bytes]].concat();
    bench.raw(CLIENT, &unfinished(5100)[..5100]);
    bench.pass(1_000);
    // The second one keeps more, but it is being sent.
    assert_eq!(bench.raw(2, &unfinished(8900)), b"");
    assert_eq!(bench.host.hung_up, [CLIENT]);
}

#[test]
fn a_name_has_a_limit_and_is_counted() {
    let mut bench = Bench::new(ServiceLimits::default());
    let name = "n".repeat(256);
    assert_eq!(bench.send(&format!("CLIENT SETNAME {name}")), "+OK\r\n");
    let kept = bench.service.pending_bytes();
    assert!(kept >= 256, "{kept}");
    let too_long = "-ERR Client names cannot be longer than 256 bytes.\r\n";
    assert_eq!(bench.send(&format!("CLIENT SETNAME {name}n")), too_long);
    assert_eq!(bench.send(&format!("HELLO 2 SETNAME {name}n")), too_long);
    assert_eq!(bench.service.pending_bytes(), kept);
    bench.send("RESET");
    assert_eq!(bench.service.pending_bytes(), 0);
}

#[test]
fn a_promise_takes_no_memory() {
    let mut bench = Bench::new(ServiceLimits::default());
    bench.raw(CLIENT, b"*1000000\r\n$4\r\nECHO\r\n$16000000\r\n");
    let pending = bench.service.pending_bytes();
    assert!(pending < 70_000, "{pending}");
    bench.raw(CLIENT, &[b'x'; 100_000]);
    assert!((pending..pending + 200_001).contains(&bench.service.pending_bytes()));
}

#[test]
fn every_long_loop_shows_progress() {
    const MANY: usize = 20_000;
    let mut bench = Bench::with_debug();
    let words: Vec<String> = (0..MANY).map(|number| format!("w{number}")).collect();
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let with_words = |name: &str, key: &str| {
        let head = [name.as_bytes(), key.as_bytes()];
        request(&[&head, words.as_slice()].concat())
    };
    let inline = |line: &str| format!("{line}\r\n").into_bytes();
    let requests = [
        inline(&format!("DEBUG POPULATE {MANY}")),
        inline("KEYS *"),
        inline("KEYS nosuch"),
        inline(&format!("SCAN 0 COUNT {MANY}")),
        inline("DEBUG DIGEST"),
        with_words("RPUSH", "list"),
        inline("LRANGE list 0 -1"),
        inline(&format!("LPOP list {}", MANY / 2)),
        with_words("SADD", "set"),
        inline("SMEMBERS set"),
        inline(&format!("SPOP set {}", MANY / 2)),
        with_words("HSET", "hash"),
        inline("HGETALL hash"),
        // Both commands free what they remove.
        inline("DEL set"),
        inline("SET hash x"),
        with_words("MGET", "x"),
        with_words("EXISTS", "x"),
        with_words("MSET", "x")[..].to_vec(),
        with_words("DEL", "x"),
        inline("FLUSHALL"),
    ];
    for bytes in requests {
        bench.host.progress = 0;
        let reply = bench.raw(CLIENT, &bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        // HSET and MSET count pairs, and half of the set was popped.
        let expected = (MANY / 2 / 256 - 1) as u64;
        let is_refusal = reply.starts_with(b"-");
        assert!(
            bench.host.progress >= expected || is_refusal,
            "{shown}: {}",
            bench.host.progress
        );
        assert_eq!(is_refusal, shown.contains("MSET"), "{shown}");
    }
    assert_eq!(bench.service.used_bytes(), 0);
}

#[test]
fn expired_collections_are_freed_with_progress() {
    let mut bench = Bench::new(ServiceLimits::default());
    for _ in 0..100 {
        bench.send(&format!("RPUSH list{}", " x".repeat(1000)));
    }
    bench.send("PEXPIRE list 1");
    bench.pass(2);
    bench.host.progress = 0;
    bench.tick();
    assert_eq!(bench.service.key_count(), 0);
    assert!(bench.host.progress >= 100_000 / 256);
}
