//! A state that changes while it is written into a checkpoint is restored as it is at the end, and goes on in the
//! same way.

use crate::comparison::agree;
use crate::config;
use crate::generate::{ClientEvent, event, limits, record};
use ::checkpoint::{Items, Malformed, Sequence, Writer};
use proptest::prelude::*;
use service::testing::RecordingHost;
use service::{ConnectionId, Password, Service, ServiceLimits, ServiceRestorer, Stamp};

const SECTION: u8 = 3;

/// A primary, and the checkpoint it writes.
struct Primary {
    service: Service,
    host: RecordingHost,
    time_ms: u64,
    sequence: Sequence,
    records: Vec<Vec<u8>>,
}

impl Primary {
    fn new(limits: ServiceLimits) -> Self {
        Self {
            service: Service::new(limits),
            host: RecordingHost::default(),
            time_ms: 1_000,
            sequence: Sequence::default(),
            records: Vec::new(),
        }
    }

    fn apply(&mut self, (event, passed_ms, entropy): &(ClientEvent, u64, u64)) {
        self.time_ms += passed_ms;
        let (time_ms, entropy) = (self.time_ms, *entropy);
        let record = record(event, Stamp { time_ms, entropy });
        self.service.apply(&record, &mut self.host);
    }

    fn run(&mut self, connection: ConnectionId, line: &str) {
        let bytes = format!("{line}\r\n").into_bytes();
        self.apply(&(ClientEvent::Bytes(connection, bytes), 1, 5));
    }

    /// Writes some of the keyspace. Returns whether only the rest is missing.
    fn write(&mut self, budget_bytes: usize) -> bool {
        let mut sink = |payload: &[u8]| self.records.push(payload.to_vec());
        let mut writer = Writer::new(SECTION, &mut self.sequence, &mut sink);
        self.service.write_keyspace(&mut writer, budget_bytes)
    }

    fn end(&mut self) {
        while !self.write(1 << 20) {}
        let mut sink = |payload: &[u8]| self.records.push(payload.to_vec());
        self.service
            .end_checkpoint(&mut Writer::new(SECTION, &mut self.sequence, &mut sink));
    }

    /// Returns what a new backup restores from it.
    fn restored(&self, limits: ServiceLimits) -> Result<Service, Malformed> {
        let (mut restorer, mut sequence) = (ServiceRestorer::new(limits), Sequence::default());
        for payload in &self.records {
            let (section, items) = Items::of(payload, &mut sequence)?;
            assert_eq!(section, SECTION);
            restorer.restore(items, &mut || ())?;
        }
        restorer.finish()
    }
}

fn numbers(service: &Service) -> [u64; 6] {
    [
        service.digest(|| ()),
        service.used_bytes(),
        service.key_count() as u64,
        service.next_expiry_ms().unwrap_or(0),
        service.pending_bytes() as u64,
        service.connection_count() as u64,
    ]
}

/// Returns the replies of a service to commands that depend on order, time and counters.
fn answers(service: &mut Service, time_ms: u64) -> RecordingHost {
    let mut host = RecordingHost::default();
    let asked = [
        "CLIENT LIST",
        "INFO",
        "ROLE",
        "SCAN 0 COUNT 1000",
        "KEYS *",
        "SPOP a",
        "HGETALL b",
        "LRANGE c 0 -1",
        "SMEMBERS many",
        "SPOP many 3",
        "DBSIZE",
        "RANDOMKEY",
    ];
    let open = ClientEvent::Open(77);
    let lines = asked.map(|line| ClientEvent::Bytes(77, format!("{line}\r\n").into_bytes()));
    for (entropy, event) in std::iter::once(open).chain(lines).enumerate() {
        let stamp = Stamp {
            time_ms,
            entropy: entropy as u64,
        };
        service.apply(&record(&event, stamp), &mut host);
    }
    host
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn a_state_is_restored_as_it_is_written(
        before in prop::collection::vec(event(), 0..40),
        meanwhile in prop::collection::vec((event(), 1..60_usize), 0..40),
        after in prop::collection::vec(event(), 0..20),
    ) {
        let mut primary = Primary::new(limits());
        before.iter().for_each(|event| primary.apply(event));
        primary.service.begin_checkpoint();
        for (event, budget_bytes) in &meanwhile {
            primary.write(*budget_bytes);
            primary.apply(event);
        }
        primary.end();
        let mut backup = primary.restored(limits());
        let backup = backup.as_mut().unwrap();
        prop_assert_eq!(numbers(backup), numbers(&primary.service));
        agree(backup, &primary.service);

        primary.host = RecordingHost::default();
        let mut backup_host = RecordingHost::default();
        for each in &after {
            primary.apply(each);
            let stamp = Stamp { time_ms: primary.time_ms, entropy: each.2 };
            backup.apply(&record(&each.0, stamp), &mut backup_host);
        }
        prop_assert_eq!(&backup_host, &primary.host);
        let time_ms = primary.time_ms;
        prop_assert_eq!(answers(backup, time_ms), answers(&mut primary.service, time_ms));
        prop_assert_eq!(numbers(backup), numbers(&primary.service));
        agree(backup, &primary.service);
    }
}

proptest! {
    #![proptest_config(config(12))]

    /// Damages a checkpoint, and checks that it is not taken for a whole one.
    #[test]
    fn a_record_that_is_missing_or_cut_is_noticed(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut primary = large();
        primary.end();
        let which = which.index(primary.records.len());
        let whole = primary.records.clone();
        primary.records.remove(which);
        prop_assert!(primary.restored(with_debug()).is_err());
        primary.records = whole;
        let record = &mut primary.records[which];
        let length = cut.index(record.len());
        record.truncate(length);
        prop_assert!(primary.restored(with_debug()).is_err());
    }
}

fn with_debug() -> ServiceLimits {
    ServiceLimits {
        debug: true,
        ..ServiceLimits::default()
    }
}

/// Makes a primary with strings and collections that are longer than a record.
fn large() -> Primary {
    let mut primary = Primary::new(ServiceLimits {
        debug: true,
        ..ServiceLimits::default()
    });
    primary.apply(&(ClientEvent::Open(0), 0, 0));
    primary.service.begin_checkpoint();
    let long = "x".repeat(40_000);
    primary.run(0, &format!("SET long {long}"));
    primary.run(0, &format!("SET {long} short"));
    for chunk in 0..30 {
        let members: Vec<String> = (0..50)
            .map(|number| format!("m{}", chunk * 50 + number))
            .collect();
        primary.run(0, &format!("SADD many {}", members.join(" ")));
        primary.run(0, &format!("RPUSH list {} {long}", members.join(" ")));
        let fields: Vec<String> = members
            .iter()
            .map(|member| format!("{member} {chunk}"))
            .collect();
        primary.run(0, &format!("HSET hash {}", fields.join(" ")));
        primary.write(3_000);
    }
    primary
}

#[test]
fn what_is_longer_than_a_record_is_heard() {
    let mut primary = large();
    // So few elements that their tables would not be spread out, in tables that are.
    for number in 3..1500 {
        primary.run(0, &format!("SREM many m{number}"));
        primary.run(0, &format!("HDEL hash m{number}"));
    }
    // An incomplete request.
    primary.apply(&(ClientEvent::Open(1), 0, 0));
    let begun = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$30000\r\n".to_vec(),
        vec![b'y'; 20_000],
    ]
    .concat();
    primary.apply(&(ClientEvent::Bytes(1, begun), 0, 0));
    primary.end();
    let mut backup = primary
        .restored(ServiceLimits {
            debug: true,
            ..ServiceLimits::default()
        })
        .unwrap();
    assert_eq!(numbers(&backup), numbers(&primary.service));
    agree(&backup, &primary.service);
    let time_ms = primary.time_ms;
    assert_eq!(
        answers(&mut backup, time_ms),
        answers(&mut primary.service, time_ms)
    );
}

#[test]
fn who_has_given_the_password_is_a_part_of_the_state() {
    let limits = ServiceLimits {
        password: Some(Password::new("secret")),
        ..ServiceLimits::default()
    };
    let mut primary = Primary::new(limits.clone());
    for connection in [1, 2] {
        primary.apply(&(ClientEvent::Open(connection), 1, 5));
    }
    primary.run(1, "AUTH secret");
    primary.service.begin_checkpoint();
    primary.end();
    let mut backup = Primary::new(limits.clone());
    backup.service = primary.restored(limits).expect("a whole checkpoint");
    for (connection, reply) in [
        (1, "+PONG\r\n"),
        (2, "-NOAUTH Authentication required.\r\n"),
    ] {
        backup.run(connection, "PING");
        let sent = backup.host.sent_to(connection);
        assert_eq!(String::from_utf8_lossy(&sent), reply);
    }
}

/// Makes a primary with one value of each type that is larger than any round, and begins its checkpoint.
fn with_large_values() -> Primary {
    let mut primary = Primary::new(ServiceLimits::default());
    primary.apply(&(ClientEvent::Open(0), 0, 0));
    let long = "y".repeat(25_000);
    for chunk in 0..20 {
        let numbers = (0..200).map(|number| format!("{}", chunk * 200 + number));
        let words = numbers.collect::<Vec<_>>().join(" ");
        for line in [
            format!("APPEND string {long}"),
            format!("RPUSH list {words} {long}"),
            format!("SADD set {words} {chunk}{long}"),
            format!("HSET hash {words} {chunk}{long} {long}"),
        ] {
            primary.run(0, &line);
        }
    }
    primary.service.begin_checkpoint();
    primary
}

/// Writes a round. Returns how many bytes it wrote, and whether the keyspace is written.
fn round(primary: &mut Primary, budget_bytes: usize) -> (usize, bool) {
    let before = primary.records.len();
    let is_done = primary.write(budget_bytes);
    let bytes = primary.records[before..].iter().map(Vec::len).sum();
    (bytes, is_done)
}

#[test]
fn a_round_is_short_whatever_the_size_of_a_value() {
    const BUDGET_BYTES: usize = 10_000;
    let mut primary = with_large_values();
    let mut rounds = 0;
    loop {
        let (bytes, is_done) = round(&mut primary, BUDGET_BYTES);
        assert!(
            bytes <= BUDGET_BYTES + (32 << 10),
            "{bytes} bytes in one round"
        );
        rounds += 1;
        if is_done {
            break;
        }
        // Other keys change, come and go meanwhile.
        primary.run(0, &format!("SET other{} {rounds}", rounds % 7));
        primary.run(0, &format!("DEL other{}", (rounds + 3) % 7));
    }
    assert!(rounds > 100, "{rounds}");
    primary.end();
    let backup = primary
        .restored(ServiceLimits::default())
        .expect("a whole checkpoint");
    assert_eq!(numbers(&backup), numbers(&primary.service));
}

#[test]
fn a_value_that_changes_in_every_round_is_written_nevertheless() {
    for change in [
        &[
            "APPEND string z",
            "LPUSH list a",
            "SREM set 7",
            "HSET hash 1 changed",
        ][..],
        &[
            "DEL list",
            "RPUSH list a b",
            "EXPIRE hash 100",
            "SET set small",
        ],
        &["FLUSHALL", "SET string new"],
    ] {
        let mut primary = with_large_values();
        for rounds in 0.. {
            assert!(rounds < 3_000, "{change:?}");
            let is_done = round(&mut primary, 10_000).1;
            if is_done {
                break;
            }
            if !primary.service.must_write_more() {
                change.iter().for_each(|line| primary.run(0, line));
            }
        }
        primary.end();
        let backup = primary
            .restored(ServiceLimits::default())
            .expect("a whole checkpoint");
        assert_eq!(numbers(&backup), numbers(&primary.service), "{change:?}");
    }
}
