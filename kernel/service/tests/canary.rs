//! The canary: it is answered by the way of every request, and no client can see that it was there.

mod common;

use common::{Bench, CLIENT, request};
use service::{CANARY, Input, Password, ServiceLimits};

const QUESTION: &[&[u8]] = &[b"ECHO", b"00000000000000000042"];
const ANSWER: &[u8] = b"$20\r\n00000000000000000042\r\n";

#[test]
fn a_canary_is_answered() {
    let mut bench = Bench::with_debug();
    for _ in 0..3 {
        assert_eq!(bench.raw(CANARY, &request(QUESTION)), ANSWER);
    }
    assert!(bench.host.hung_up.is_empty());
}

#[test]
fn a_canary_leaves_nothing_that_a_client_can_see() {
    let questions = [
        "INFO clients",
        "INFO stats",
        "CLIENT LIST",
        "DBSIZE",
        "KEYS *",
    ];
    let mut with = Bench::with_debug();
    let mut without = Bench::with_debug();
    for number in 0..5 {
        with.raw(CANARY, &request(QUESTION));
        // The other one draws as often, so that both get the same random words.
        without.apply(Input::Tick);
        let set = format!("SET key{number} value");
        assert_eq!(with.send(&set), without.send(&set));
        for question in questions {
            assert_eq!(with.send(question), without.send(question), "{question}");
        }
    }
    assert_eq!(with.digest(), without.digest());
    assert_eq!(with.service.connection_count(), 1);
    assert_eq!(with.service.pending_bytes(), 0);
}

#[test]
fn a_canary_needs_no_room_among_the_clients_and_finishes_nobodys_request() {
    let mut bench = Bench::new(ServiceLimits {
        max_clients: 1,
        ..ServiceLimits::default()
    });
    assert_eq!(bench.raw(CLIENT, b"*1\r\n$4\r\nPI"), b"");
    assert_eq!(bench.raw(CANARY, &request(QUESTION)), ANSWER);
    assert_eq!(bench.raw(CLIENT, b"NG\r\n"), b"+PONG\r\n");
}

#[test]
fn a_canary_needs_no_password() {
    let mut bench = Bench::new(ServiceLimits {
        password: Some(Password::new("secret")),
        ..ServiceLimits::default()
    });
    assert!(bench.send("ECHO x").starts_with("-NOAUTH"));
    assert_eq!(bench.raw(CANARY, &request(QUESTION)), ANSWER);
}

#[test]
fn half_a_canary_is_forgotten() {
    let mut bench = Bench::with_debug();
    let whole = request(QUESTION);
    assert_eq!(bench.raw(CANARY, &whole[..9]), b"");
    assert_eq!(bench.service.pending_bytes(), 0);
    assert!(!bench.service.is_open(CANARY));
    assert_eq!(bench.raw(CANARY, &whole), ANSWER);
}
