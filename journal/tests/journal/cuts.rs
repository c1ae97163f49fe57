//! A producer is cut off after any one of its stores.

use crate::fixture::{Dying, EPOCH, Kept, Memory, append, recover, wear_in};

const PAYLOADS: [&[u8]; 5] = [
    b"",
    b"one",
    b"exactly8",
    b"a longer payload, of some words",
    b"z",
];

/// Header, payload and stamp: the stores an append takes.
fn stores_of(payload: &[u8]) -> usize {
    3 + payload.len().div_ceil(8)
}

#[test]
fn whatever_was_published_before_the_cut_is_there_and_nothing_else() {
    let total: usize = PAYLOADS.iter().map(|payload| stores_of(payload)).sum();
    for cut in 0..=total {
        let memory = Memory::new(512);
        let from = wear_in(&memory);
        let dying = Dying::after(&memory, cut);
        let mut published: Vec<Kept> = Vec::new();
        let (mut stores, mut torn) = (0, None);
        for payload in PAYLOADS {
            let record = append(&dying.journal(), payload);
            stores += stores_of(payload);
            if stores > cut {
                torn = Some((record.position, record.end));
                break;
            }
            published.push(record);
        }
        assert!(cut == total || dying.is_dead());
        let readings = recover(&memory.journal(), from, EPOCH);
        assert_eq!(readings.records, published, "cut after {cut} stores");
        let found: Vec<_> = readings.findings.iter().map(|f| (f.from, f.to)).collect();
        assert_eq!(found, Vec::from_iter(torn), "cut after {cut} stores");
    }
}

#[test]
fn other_producers_records_behind_the_cut_are_there() {
    for (victim, victims_payload) in PAYLOADS.into_iter().enumerate() {
        for cut in 0..stores_of(victims_payload) {
            let memory = Memory::new(512);
            let from = wear_in(&memory);
            let mut published = Vec::new();
            let mut hole = (0, 0);
            for (number, payload) in PAYLOADS.into_iter().enumerate() {
                if number == victim {
                    let record = append(&Dying::after(&memory, cut).journal(), payload);
                    hole = (record.position, record.end);
                } else {
                    published.push(append(&memory.journal(), payload));
                }
            }
            let readings = recover(&memory.journal(), from, EPOCH);
            assert_eq!(readings.records, published, "{victim} cut after {cut}");
            let found: Vec<_> = readings.findings.iter().map(|f| (f.from, f.to)).collect();
            assert_eq!(found, [hole], "{victim} cut after {cut}");
        }
    }
}
