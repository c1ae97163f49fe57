//! A new primary closes the gaps that producers left unpublished, so that later readers do not take them for damage.

use sharedmem::sync::Ordering::Relaxed;

use journal::{Journal, Next, RawKind, Reader, Recovery};
use sharedmem::Words;

use crate::fixture::{Dying, EPOCH, SharedMemory, append, read, wear_in};

const PAYLOADS: [&[u8]; 5] = [
    b"",
    b"one",
    b"exactly8",
    b"a longer payload, of some words",
    b"z",
];

/// Returns the number of stores of an append: header, payload and stamp.
fn stores_of(payload: &[u8]) -> usize {
    3 + payload.len().div_ceil(8)
}

/// The kind of the empty records.
const FILLER: RawKind = RawKind(1 << 15);

/// Takes over as a new primary: closes the gaps, and goes on.
fn take_over<W: Words + Copy>(journal: Journal<'_, W>, from: u64) {
    let (mut recovery, mut buffer) = (Recovery::new(journal, from, EPOCH), Vec::new());
    loop {
        match recovery.next(&mut buffer) {
            Next::Record(_) | Next::Searching => {}
            Next::Finding(finding) => assert!(recovery.close(&finding, FILLER)),
            Next::End => break,
        }
    }
    journal.resume(recovery.resume_position());
}

#[test]
fn a_stretch_that_was_closed_is_no_damage_for_later_readers() {
    for (victim, victims_payload) in PAYLOADS.into_iter().enumerate() {
        for cut in 0..stores_of(victims_payload) {
            let memory = SharedMemory::new(512);
            let from = wear_in(&memory);
            let mut published = Vec::new();
            for (number, payload) in PAYLOADS.into_iter().enumerate() {
                let dying = Dying::after(&memory, if number == victim { cut } else { 99 });
                let record = append(&dying.journal(), payload);
                if number != victim {
                    published.push(record);
                }
            }
            take_over(memory.journal(), from);
            let next = memory.journal().append(EPOCH + 1, RawKind(3), &[b"new"]);
            memory.journal().mark_applied(next.unwrap().end);
            let mut readings = read(&mut Reader::new(memory.journal(), from), EPOCH + 1);
            assert_eq!(readings.findings, [], "{victim} cut after {cut}");
            assert_eq!(readings.records.pop().unwrap().payload, b"new");
            readings.records.retain(|record| record.kind != FILLER);
            assert_eq!(readings.records, published, "{victim} cut after {cut}");
        }
    }
}

#[test]
fn who_dies_while_it_closes_leaves_something_to_be_closed() {
    // Large enough for several empty records: a payload takes a quarter of the ring at most.
    for (payload, torn_producers) in [(&b"torn"[..], 1), (&[7; 100], 3)] {
        for cut in 0..60 {
            let memory = SharedMemory::new(512);
            let from = wear_in(&memory);
            let whole = append(&memory.journal(), b"whole");
            for _ in 0..torn_producers {
                append(&Dying::after(&memory, 2).journal(), payload);
            }
            take_over(Dying::after(&memory, cut).journal(), from);
            // The first new primary died before it went on from there.
            memory.cursors.applied.store(from, Relaxed);
            memory.cursors.consumed.store(from, Relaxed);
            take_over(memory.journal(), from);
            let mut readings = read(&mut Reader::new(memory.journal(), from), EPOCH + 1);
            assert_eq!(readings.findings, [], "cut after {cut}");
            readings.records.retain(|record| record.kind != FILLER);
            assert_eq!(
                readings.records,
                std::slice::from_ref(&whole),
                "cut after {cut}"
            );
        }
    }
}

#[test]
fn damage_that_may_have_been_applied_is_not_closed() {
    let memory = SharedMemory::new(512);
    let from = wear_in(&memory);
    let torn = append(&Dying::after(&memory, 2).journal(), b"torn");
    let close = || {
        let mut recovery = Recovery::new(memory.journal(), from, EPOCH);
        match recovery.next(&mut Vec::new()) {
            Next::Finding(finding) => recovery.close(&finding, FILLER),
            next => panic!("{next:?}"),
        }
    };
    memory.journal().mark_applied(torn.end);
    assert!(!close());
    memory.journal().mark_applied(from);
    assert!(close());
}
