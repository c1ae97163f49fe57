//! Two kernels with the same state have the same fingerprints, and a scrub finds every bit that changed by itself.

use crate::config;
use crate::generate::{event, limits, record};
use fingerprint::Chain;
use proptest::prelude::*;
use service::testing::RecordingHost;
use service::{Input, InputRecord, Scrub, ScrubPosition, Service, ServiceLimits, Stamp};

/// Goes through a keyspace once, in steps of `work_bytes`. Returns the fingerprints, and whether it found damage.
fn scrubbed(service: &Service, work_bytes: usize) -> (Vec<u64>, bool) {
    let (mut scrub, mut position) = (Scrub::default(), ScrubPosition::default());
    let (mut fingerprints, mut is_damaged) = (vec![], false);
    loop {
        let step = service.state().scrub(&mut scrub, position, work_bytes);
        fingerprints.push(step.fingerprint);
        is_damaged |= step.damaged_key.is_some();
        position = step.next;
        if position == ScrubPosition::default() {
            return (fingerprints, is_damaged);
        }
    }
}

fn counts(service: &Service) -> u64 {
    let mut chain = Chain::default();
    service.state().add_counts(&mut chain);
    chain.finish()
}

/// Adds all connections, in steps of `count`.
fn connections(service: &Service, count: usize) -> u64 {
    let (mut chain, mut first) = (Chain::default(), 0);
    for round in 0.. {
        first = service
            .state()
            .add_connections(&mut chain, first, count, round);
        if first == 0 {
            break;
        }
    }
    chain.finish()
}

/// Checks that two services have the same fingerprints, and no damage.
pub fn agree(one: &Service, other: &Service) {
    assert!(one.state().is_sum_right());
    assert_eq!(counts(one), counts(other));
    for count in [1, 3, 100] {
        assert_eq!(connections(one, count), connections(other, count));
    }
    for work_bytes in [1, 1_000, 50_000, usize::MAX] {
        let (fingerprints, is_damaged) = scrubbed(one, work_bytes);
        assert_eq!((fingerprints, is_damaged), scrubbed(other, work_bytes));
        assert!(!is_damaged);
    }
}

fn filled(events: &[(crate::generate::ClientEvent, u64, u64)]) -> Service {
    let (mut service, mut host) = (Service::new(limits()), RecordingHost::default());
    let mut time_ms = 1_000;
    for (event, passed_ms, entropy) in events {
        time_ms += passed_ms;
        let entropy = *entropy;
        service.apply(&record(event, Stamp { time_ms, entropy }), &mut host);
    }
    service
}

proptest! {
    #![proptest_config(config(150))]

    /// Flips a bit, and checks that a pass of any step finds it.
    #[test]
    fn a_bit_that_changed_by_itself_is_found(
        events in prop::collection::vec(event(), 1..60),
        random in any::<u64>(),
        work_bytes in prop_oneof![Just(1), 1..5_000_usize, Just(1 << 20)],
    ) {
        let mut service = filled(&events);
        prop_assert!(!scrubbed(&service, work_bytes).1);
        if service.state_mut().flip_bit(random) {
            prop_assert!(scrubbed(&service, work_bytes).1);
        }
    }

    /// Checks that a change amid a pass is not taken for damage, wherever it falls.
    #[test]
    fn what_changes_by_a_command_is_no_damage(
        before in prop::collection::vec(event(), 1..40),
        meanwhile in prop::collection::vec((event(), 1..3_000_usize), 1..40),
    ) {
        let mut service = filled(&before);
        let (mut scrub, mut position) = (Scrub::default(), ScrubPosition::default());
        let (mut host, mut time_ms) = (RecordingHost::default(), 1_000_000);
        for ((event, passed_ms, entropy), work_bytes) in &meanwhile {
            let step = service.state().scrub(&mut scrub, position, *work_bytes);
            prop_assert_eq!(step.damaged_key, None);
            position = step.next;
            time_ms += passed_ms;
            let entropy = *entropy;
            service.apply(&record(event, Stamp { time_ms, entropy }), &mut host);
        }
        prop_assert!(service.state().is_sum_right());
    }
}

fn run(service: &mut Service, host: &mut RecordingHost, bytes: &[u8]) {
    let (connection, peer) = (1, [0; 6]);
    let stamp = Stamp::default();
    for input in [
        Input::Open { connection, peer },
        Input::Bytes { connection, bytes },
    ] {
        service.apply(&InputRecord { stamp, input }, host);
    }
}

#[test]
fn a_step_is_short_whatever_the_size_of_a_value_and_damage_survives_an_append() {
    const WORK_BYTES: usize = 10_000;
    let (mut service, mut host) = (
        Service::new(ServiceLimits::default()),
        RecordingHost::default(),
    );
    // It ends amid a piece.
    let long = "y".repeat((1 << 20) + 100);
    run(
        &mut service,
        &mut host,
        format!(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{long}\r\n",
            long.len()
        )
        .as_bytes(),
    );
    let (fingerprints, is_damaged) = scrubbed(&service, WORK_BYTES);
    assert!(
        fingerprints.len() >= long.len() / WORK_BYTES,
        "{}",
        fingerprints.len()
    );
    assert!(!is_damaged);
    run(&mut service, &mut host, b"APPEND k z\r\n");
    assert!(!scrubbed(&service, WORK_BYTES).1);
    // In the last piece: an append computes that piece's sum anew.
    let bit = 8 * (long.len() as u64 - 1);
    assert!(service.state_mut().flip_bit(bit));
    run(&mut service, &mut host, b"APPEND k z\r\n");
    assert!(scrubbed(&service, WORK_BYTES).1);
}

#[test]
fn an_element_at_another_place_is_another_state() {
    let service = |lines: &str| {
        let (mut service, mut host) = (
            Service::new(ServiceLimits::default()),
            RecordingHost::default(),
        );
        run(&mut service, &mut host, lines.as_bytes());
        service
    };
    for [one, other] in [
        ["RPUSH k a b\r\n", "RPUSH k b a\r\n"],
        ["HSET k a b b a\r\n", "HSET k b a a b\r\n"],
        ["SADD k a b\r\n", "SADD k b a\r\n"],
    ] {
        let [one, other] = [service(one), service(other)];
        assert_eq!(counts(&one), counts(&other));
        assert_ne!(scrubbed(&one, 1_000).0, scrubbed(&other, 1_000).0);
    }
    for [one, other] in [
        ["SET a 1\r\nSET b 2\r\n", "SET a 2\r\nSET b 1\r\n"],
        ["SET a 1\r\nSET a 2 PX 5\r\n", "SET a 1\r\nSET a 2 PX 6\r\n"],
        ["RPUSH a 1\r\n", "SADD a 1\r\n"],
    ] {
        assert_ne!(counts(&service(one)), counts(&service(other)), "{one}");
    }
}

#[test]
fn a_part_of_a_value_that_was_begun_elsewhere_is_no_damage() {
    let (mut service, mut host) = (
        Service::new(ServiceLimits::default()),
        RecordingHost::default(),
    );
    run(
        &mut service,
        &mut host,
        format!("SET k {}\r\n", "y".repeat(5_000)).as_bytes(),
    );
    let (mut scrub, mut position) = (Scrub::default(), ScrubPosition::default());
    while position.byte == 0 {
        position = service.state().scrub(&mut scrub, position, 1_000).next;
        assert_ne!(position, ScrubPosition::default());
    }
    let rest = service
        .state()
        .scrub(&mut Scrub::default(), position, usize::MAX);
    assert_eq!(rest.damaged_key, None);
}
