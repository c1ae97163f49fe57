//! What must hold for any input: the cut of the stream does not matter, nothing panics, and the same records give the
//! same state and the same replies.

#[path = "../common/mod.rs"]
mod common;

mod checkpoint;
mod comparison;
mod generate;

use common::{Bench, CLIENT};
use generate::{any_command, encoded, event, limits, record, stream};
use proptest::prelude::*;
use service::testing::RecordingHost;
use service::{Input, InputRecord, Service, ServiceLimits, Stamp};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn the_cut_of_the_stream_does_not_matter(
        bytes in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut whole = Bench::new(ServiceLimits::default());
        let expected = whole.raw(CLIENT, &bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut parts = Bench::new(ServiceLimits::default());
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
        let (mut primary_host, mut backup_host) = (RecordingHost::default(), RecordingHost::default());
        let mut time_ms = 1_000;
        for (event, passed_ms, entropy) in &events {
            time_ms += passed_ms;
            let stamp = Stamp { time_ms, entropy: *entropy };
            let record = record(event, stamp);
            primary.apply(&record, &mut primary_host);
            let mut journal = vec![];
            record.encode(&mut journal);
            prop_assert_eq!(journal.len(), record.encoded_len());
            let read = InputRecord::decode(&journal).unwrap();
            prop_assert_eq!(read, record);
            backup.apply(&read, &mut backup_host);
            prop_assert!(primary.used_bytes() <= 40_000);
        }
        prop_assert_eq!(primary_host, backup_host);
        prop_assert_eq!(primary.digest(|| ()), backup.digest(|| ()));
        prop_assert_eq!(primary.next_expiry_ms(), backup.next_expiry_ms());
        prop_assert_eq!(primary.pending_bytes(), backup.pending_bytes());
        comparison::agree(&primary, &backup);
    }

    /// Checks that every byte that was counted is taken off the count again, whatever happened in between.
    #[test]
    fn the_account_is_balanced(commands in prop::collection::vec(any_command(), 1..60)) {
        let mut bench = Bench::with_debug();
        // Several clients, because some wait.
        let clients = [2, 3, 4, 5];
        clients.into_iter().for_each(|client| bench.open(client));
        for (command, client) in commands.iter().zip(clients.into_iter().cycle()) {
            bench.raw(client, &encoded(command));
            bench.pass(7);
        }
        for connection in clients {
            bench.apply(Input::Close { connection });
        }
        prop_assert_eq!(bench.service.pending_bytes(), 0);
        for database in 0..16 {
            bench.send(&format!("SELECT {database}"));
            let keys = bench.raw(CLIENT, b"KEYS *\r\n");
            for key in common::leaves(&keys) {
                let deletion = [b"*2\r\n$3\r\nDEL\r\n".to_vec(), key].concat();
                prop_assert_eq!(bench.raw(CLIENT, &deletion), b":1\r\n");
            }
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
        let mut bench = Bench::new(ServiceLimits {
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
    fn decoding_never_panics_and_gives_back_what_was_encoded(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        kind in 0..6_u8,
    ) {
        let mut bytes = bytes;
        if let Some(byte) = bytes.get_mut(service::HEADER_BYTES - 1) {
            *byte = kind;
        }
        if let Ok(record) = InputRecord::decode(&bytes) {
            let mut again = vec![];
            record.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}
