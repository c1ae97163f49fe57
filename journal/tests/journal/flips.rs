//! Bits flip in the ring, and in the cursors.

use std::sync::atomic::Ordering::Relaxed;

use journal::{Damage, Reader, Recovery};
use proptest::prelude::*;

use crate::crash::{Cut, cuts_in_order};
use crate::exhaustive::machine_at;
use crate::fixture::{
    APPLIED, CONSUMED, CURSORS, EPOCH, Kept, RESERVED, RETAINED, Readings, SharedMemory, append,
    read, recover, wear_in,
};
use crate::oracle::Expected;
use crate::trace::Trace;
use crate::workload::{BACKUP, DiesIn, LEAD, take_over, three_owners};

/// Every bit is flipped in the image of one cut in this many, and in that of the last one.
const SAMPLE: usize = 24;

fn sample(trace: &Trace) -> Vec<Cut> {
    let cuts = cuts_in_order(trace);
    cuts.into_iter().rev().step_by(SAMPLE).collect()
}

/// Checks that a flipped bit in a record costs this record and no other, and that one outside of records costs nothing.
fn check_flip_in_ring(trace: &Trace, cut: &Cut, memory: &SharedMemory, index: usize) {
    for from in [cut.image[CONSUMED], cut.image[RETAINED]] {
        let expected = Expected::of_corrupt(trace, cut, from, index);
        let readings = recover(&memory.journal(), from, cut.epoch);
        expected.check(&readings, cut);
        let waiting = read(&mut Reader::new(memory.journal(), from), cut.epoch);
        let applied = expected.records.iter();
        let applied = applied.filter(|record| record.end <= cut.image[APPLIED]);
        assert!(waiting.records.iter().eq(applied), "{cut:x?}");
    }
}

#[test]
fn exhaustive_every_flipped_bit_of_the_ring_costs_its_record_and_no_other() {
    let trace = three_owners();
    let memory = SharedMemory::new(trace.capacity_bytes);
    let mut flips = 0;
    for cut in sample(&trace) {
        memory.restore(&cut.image);
        for (index, word) in memory.words.iter().enumerate() {
            for bit in 0..64 {
                word.fetch_xor(1 << bit, Relaxed);
                check_flip_in_ring(&trace, &cut, &memory, index);
                word.fetch_xor(1 << bit, Relaxed);
                flips += 1;
            }
        }
    }
    println!("exhaustive: {flips} flipped bits of the ring, each recovered from");
}

/// Checks that only committed records are read, each once and in order. If `retained` is flipped, they may be those
/// of an earlier lap.
fn check_order(trace: &Trace, cut: &Cut, readings: &Readings) {
    let committed = Expected::of(trace, cut, 0).records;
    let mut last = 0;
    for record in &readings.records {
        let is_of_trace = record.position >= trace.records[0].record.position;
        assert!(
            !is_of_trace || committed.contains(record),
            "{record:?} {cut:x?}"
        );
        assert!(record.position >= last, "{record:?} {cut:x?}");
        last = record.end;
    }
}

/// Checks that everything acknowledged is read from a known position. Only records in flight may be cut off.
fn check_whole(trace: &Trace, cut: &Cut, flipped: &Cut, from: u64, readings: &Readings) {
    let expected = Expected::of(trace, cut, from);
    let is_cut_off = flipped.image[RESERVED] < cut.image[RESERVED];
    let count = match is_cut_off {
        true => readings.records.len(),
        false => expected.records.len(),
    };
    assert_eq!(readings.records, expected.records[..count], "{flipped:x?}");
    let end = readings.records.last().map_or(from, |record| record.end);
    let acknowledged = cut.acknowledged.iter();
    assert!(
        acknowledged.max().is_none_or(|last| *last < end.max(from)),
        "{flipped:x?}"
    );
}

/// Reads, takes over, and reads again, with one bit flipped.
fn check_flip_in_cursors(trace: &Trace, cut: &Cut, flipped: &Cut, memory: &SharedMemory) {
    memory.restore(&flipped.image);
    let journal = memory.journal();
    // A waiting backup knows its position. A new one reads it from the cursor.
    for from in [cut.image[CONSUMED], flipped.image[RETAINED]] {
        let readings = recover(&journal, from, cut.epoch);
        check_order(trace, cut, &readings);
        if from == cut.image[CONSUMED] || from == cut.image[RETAINED] {
            check_whole(trace, cut, flipped, from, &readings);
        }
        let is_cursors = |damage| matches!(damage, Damage::Cursors { .. });
        let is_named = readings.findings.iter().any(|it| is_cursors(it.damage));
        let is_intact = Recovery::new(journal, from, cut.epoch).is_intact();
        assert_eq!(is_named, !is_intact, "{flipped:x?}");
        read(&mut Reader::new(journal, from), cut.epoch);
    }
    for dies_in in [DiesIn::Nothing, DiesIn::FirstRecord] {
        check_takeover(trace, cut, flipped, dies_in);
    }
}

/// Takes over twice, the first time by a kernel that has read nothing yet and may die in its first record. The second
/// time reads what the first has read, or nothing. If the first kernel wrote nothing, and `reserved` was lowered into a
/// record, the second may read that record as well.
fn check_takeover(trace: &Trace, cut: &Cut, flipped: &Cut, dies_in: DiesIn) {
    let machine = machine_at(trace, flipped);
    let from = Reader::begin(machine.on(BACKUP)).position();
    let told = take_over(&machine, BACKUP, from, dies_in).records;
    let journal = machine.on(LEAD);
    let from = journal.beginning().unwrap_or(journal.cursors().applied);
    let epoch = machine.epoch();
    let again = take_over(&machine, LEAD, from, DiesIn::Nothing).records;
    let (own, others): (Vec<_>, Vec<_>) = again.into_iter().partition(|it| it.epoch == epoch);
    assert_eq!(
        own.len(),
        usize::from(dies_in == DiesIn::Nothing),
        "{flipped:x?}"
    );
    let committed = Expected::of(trace, cut, 0).records;
    let is_right = match others.strip_prefix(&*told) {
        Some(more) if dies_in == DiesIn::FirstRecord => {
            more.len() <= 1 && more.iter().all(|record| committed.contains(record))
        }
        Some(more) => more.is_empty(),
        None => others.is_empty(),
    };
    assert!(is_right, "{dies_in:?}: {told:x?} {others:x?} {flipped:x?}");
    machine.trace();
}

#[test]
fn exhaustive_every_flipped_bit_of_the_cursors_leaves_records_in_order() {
    let trace = three_owners();
    let memory = SharedMemory::new(trace.capacity_bytes);
    let mut flips = 0;
    for cut in sample(&trace) {
        for (word, bit) in (0..CURSORS).flat_map(|word| (0..64).map(move |bit| (word, bit))) {
            let mut flipped = cut.clone();
            flipped.image[word] ^= 1 << bit;
            check_flip_in_cursors(&trace, &cut, &flipped, &memory);
            flips += 1;
        }
    }
    println!(
        "exhaustive: {flips} flipped bits of the cursors, each recovered from, taken over and recovered from again"
    );
}

fn short_journal() -> (SharedMemory, u64, Vec<Kept>) {
    let memory = SharedMemory::new(512);
    let from = wear_in(&memory);
    let payloads: [&[u8]; 5] = [
        b"first",
        b"",
        b"the third record",
        b"4",
        b"and the last one of all",
    ];
    let journal = memory.journal();
    let records: Vec<_> = payloads.into_iter().map(|p| append(&journal, p)).collect();
    journal.mark_applied(journal.cursors().reserved);
    (memory, from, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn many_flipped_bits_never_make_a_wrong_record(
        flips in prop::collection::vec((0_u64..64, 0..64), 2..20),
    ) {
        let (memory, from, records) = short_journal();
        let before = memory.snapshot();
        for (word, bit) in flips {
            memory.word(8 * word).fetch_xor(1_u64 << bit, Relaxed);
        }
        let after = memory.snapshot();
        let is_intact = |record: &&Kept| {
            (record.position..record.end).step_by(8).all(|position| {
                let index = (position / 8) as usize % before.len();
                before[index] == after[index]
            })
        };
        let intact: Vec<_> = records.iter().filter(is_intact).cloned().collect();
        prop_assert_eq!(recover(&memory.journal(), from, EPOCH).records, intact);
    }
}
