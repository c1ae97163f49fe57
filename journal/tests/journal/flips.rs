//! Bits flip in the ring.

use std::sync::atomic::Ordering::Relaxed;

use journal::Reader;
use proptest::prelude::*;

use crate::fixture::{EPOCH, Kept, Memory, append, read, recover, wear_in};

fn short_journal() -> (Memory, u64, Vec<Kept>) {
    let memory = Memory::new(512);
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

#[test]
fn one_flipped_bit_costs_the_record_it_is_in_and_no_other() {
    let (memory, from, records) = short_journal();
    for record in &records {
        let intact: Vec<_> = records.iter().filter(|r| *r != record).cloned().collect();
        for position in (record.position..record.end).step_by(8) {
            for bit in 0..64 {
                memory.word(position).fetch_xor(1 << bit, Relaxed);
                let readings = recover(&memory.journal(), from, EPOCH);
                assert_eq!(readings.records, intact, "bit {bit} at {position}");
                let found: Vec<_> = readings.findings.iter().map(|f| (f.from, f.to)).collect();
                assert_eq!(found, [(record.position, record.end)]);
                let waiting = read(&mut Reader::new(memory.journal(), from), EPOCH);
                assert_eq!(waiting, readings);
                memory.word(position).fetch_xor(1 << bit, Relaxed);
            }
        }
    }
    assert_eq!(recover(&memory.journal(), from, EPOCH).records, records);
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
