//! Memory written by an attacker.

use sharedmem::sync::{AtomicU64, Ordering, Ordering::Relaxed};
use std::cell::{Cell, RefCell};

use journal::{Damage, Journal, Next, RawKind, Reader, Recovery};
use proptest::prelude::*;
use sharedmem::Words;
use sharedmem::crc32c::Crc32c;

use crate::fixture::{Dying, EPOCH, SALT, SharedMemory, append, read, recover};

/// Returns the words of a record at `position`, made with `salt`.
fn record_words(salt: u64, position: u64, payload: &[u8]) -> Vec<u64> {
    let elsewhere = SharedMemory::new(16 << 10);
    let journal = elsewhere.salted(salt);
    journal.restart(position);
    let end = append(&journal, payload).end;
    let words = (position..end).step_by(8);
    words.map(|at| elsewhere.word(at).load(Relaxed)).collect()
}

/// Counts the forged records that a recovery believes. A client sends payloads full of records, made for the
/// positions at which they lie on the next lap; then a producer reserves the room and dies.
fn believed_forgeries(salt: u64) -> usize {
    let memory = SharedMemory::new(4096);
    let journal = memory.journal();
    for slot in 0..16_u64 {
        let payload_at = slot * 256 + 24;
        let payload: Vec<u8> = (0..7)
            .flat_map(|n| record_words(salt, 4096 + payload_at + n * 32, b"I am 8 b"))
            .flat_map(u64::to_le_bytes)
            .collect();
        append(&journal, &[&payload[..], &[0; 8]].concat());
    }
    journal.mark_applied(4096);
    assert_eq!(read(&mut Reader::new(journal, 0), EPOCH).records.len(), 16);
    journal.mark_consumed(4096);
    for _ in 0..16 {
        append(&Dying::after(&memory, 0).journal(), &[0; 232]);
    }
    recover(&journal, 4096, EPOCH).records.len()
}

#[test]
fn records_forged_in_payloads_are_not_believed_on_a_later_lap() {
    for salt in [0, 1, SALT + 1, SALT ^ 1 << 63, !SALT] {
        assert_eq!(believed_forgeries(salt), 0);
    }
    // The forgeries are good: those of an attacker who knows the salt are believed.
    assert_eq!(believed_forgeries(SALT), 16 * 7);
}

#[test]
fn a_true_record_copied_elsewhere_is_not_one() {
    let memory = SharedMemory::new(512);
    let journal = memory.journal();
    let record = append(&journal, b"pay me 5");
    let hole = append(&Dying::after(&memory, 0).journal(), b"8 bytes.");
    let words: Vec<_> = memory.snapshot();
    for word in 0..4 {
        let at = memory.word(hole.position + 8 * word);
        at.store(words[word as usize], Relaxed);
    }
    let expected = [record];
    assert_eq!(recover(&journal, 0, EPOCH).records, expected);
    // It is not believed with the stamp of its new position either.
    let stamp = record_words(SALT, hole.position, b"")[0];
    memory.word(hole.position).store(stamp, Relaxed);
    let readings = recover(&journal, 0, EPOCH);
    assert_eq!(readings.records, expected);
    assert_eq!(readings.findings[0].damage, Damage::Checksum);
}

/// Memory that counts how much of it is read.
struct Counting<'m>(&'m SharedMemory, Cell<u64>);

impl Words for Counting<'_> {
    fn len(&self) -> usize {
        self.0.words.len()
    }

    fn load(&self, index: usize, order: Ordering) -> u64 {
        self.1.set(self.1.get() + 1);
        self.0.words[index].load(order)
    }

    fn store(&self, _: usize, _: u64, _: Ordering) {
        unreachable!("reading writes nothing");
    }
}

#[test]
fn false_headers_cost_bounded_time() {
    let memory = SharedMemory::new(64 << 10);
    let max_payload_bytes = memory.journal().max_payload_bytes();
    for at in (0..64 << 10).step_by(16) {
        memory
            .word(at)
            .store(record_words(SALT, at, b"")[0], Relaxed);
        memory.word(at + 8).store(max_payload_bytes.into(), Relaxed);
    }
    memory.cursors.reserved.store(64 << 10, Relaxed);
    let counting = Counting(&memory, Cell::new(0));
    let journal = Journal::salted(&counting, &memory.cursors, SALT, Crc32c::detect()).unwrap();
    let readings = recover(&journal, 0, EPOCH);
    assert_eq!(readings.records, []);
    assert!(
        matches!(&*readings.findings, [only] if only.damage == Damage::FalseHeaders && only.to == 64 << 10),
        "{:?}",
        readings.descriptions()
    );
    let loads_a_recovery = counting.1.get() / 2;
    assert!(
        loads_a_recovery < 10 * (8 << 10),
        "{loads_a_recovery} loads"
    );
}

#[test]
fn impossible_lengths_behind_what_was_promised_cost_bounded_time() {
    let memory = SharedMemory::new(64 << 10);
    // Every word begins a record; its length word is the stamp of the next one.
    for at in (0..64 << 10).step_by(8) {
        let stamp = record_words(SALT, at, b"")[0];
        memory.word(at).store(stamp, Relaxed);
    }
    memory.cursors.reserved.store(u64::MAX - 7, Relaxed);
    let counting = Counting(&memory, Cell::new(0));
    let journal = Journal::salted(&counting, &memory.cursors, SALT, Crc32c::detect()).unwrap();
    let readings = recover(&journal, 0, EPOCH);
    assert_eq!(readings.records, []);
    assert!(
        readings.findings.len() < 16,
        "{:?}",
        readings.descriptions()
    );
    let loads_a_recovery = counting.1.get() / 2;
    assert!(
        loads_a_recovery < 48 * (8 << 10),
        "{loads_a_recovery} loads"
    );
}

/// Memory that an attacker changes between two reads: a word is right the first time only, or every time but the first.
struct Fickle<'m> {
    memory: &'m SharedMemory,
    loads: RefCell<Vec<u32>>,
    right_at: u32,
}

impl Words for Fickle<'_> {
    fn len(&self) -> usize {
        self.memory.words.len()
    }

    fn load(&self, index: usize, order: Ordering) -> u64 {
        let loads = &mut self.loads.borrow_mut()[index];
        *loads += 1;
        let wrong = u64::from(*loads != self.right_at);
        self.memory.words[index].load(order) ^ wrong
    }

    fn store(&self, _: usize, _: u64, _: Ordering) {
        unreachable!("reading writes nothing");
    }
}

#[test]
fn what_is_returned_is_what_was_checked() {
    let memory = SharedMemory::new(512);
    let records: Vec<_> = (0..4)
        .map(|n| append(&memory.journal(), &[n; 40]))
        .collect();
    let read_when = |right_at| {
        let loads = RefCell::new(vec![0; 64]);
        let memory = &memory;
        let fickle = Fickle {
            memory,
            loads,
            right_at,
        };
        let journal = Journal::salted(&fickle, &memory.cursors, SALT, Crc32c::detect()).unwrap();
        let (mut recovery, mut buffer) = (Recovery::new(journal, 0, EPOCH), Vec::new());
        let mut payloads = Vec::new();
        loop {
            match recovery.next(&mut buffer) {
                Next::Record(record) => payloads.push(record.payload.to_vec()),
                Next::Finding(_) | Next::Searching => {}
                Next::End => return payloads,
            }
        }
    };
    let expected: Vec<_> = records.into_iter().map(|record| record.payload).collect();
    assert_eq!(read_when(1), expected);
    assert_eq!(read_when(2), Vec::<Vec<u8>>::new());
}

#[test]
fn a_position_at_the_end_of_all_numbers_is_no_fault() {
    let memory = SharedMemory::new(512);
    for from in [u64::MAX, u64::MAX - 7, u64::MAX - 8, u64::MAX - 600] {
        for cursor in [0, from & !7, u64::MAX - 7, u64::MAX] {
            memory.journal().restart(cursor);
            assert_eq!(recover(&memory.journal(), from, EPOCH).records, []);
            let mut reader = Reader::new(memory.journal(), from);
            assert_eq!(read(&mut reader, EPOCH).records, []);
            let resume = Recovery::new(memory.journal(), from, EPOCH).resume_position();
            memory.journal().restart(resume);
            let _ = memory.journal().append(EPOCH, RawKind(1), &[b"x"]);
        }
    }
}

fn cursor() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0..=80_u64).prop_map(|word| word * 8),
        1 => 0..700_u64,
        1 => any::<u64>(),
    ]
}

/// Generates a word that looks like something: the stamp of its position on one of two laps, a length, an epoch, or
/// anything.
#[derive(Clone, Copy, Debug)]
enum Scribble {
    Stamp,
    NextStamp,
    Word(u64),
}

fn scribble() -> impl Strategy<Value = Scribble> {
    prop_oneof![
        3 => Just(Scribble::Stamp),
        1 => Just(Scribble::NextStamp),
        2 => (0..200_u64).prop_map(Scribble::Word),
        1 => any::<u64>().prop_map(Scribble::Word),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn whatever_lies_in_memory_a_reading_ends_and_stays_in_order(
        scribbles in prop::collection::vec((0..64_u64, scribble()), 0..64),
        (reserved, applied, from) in (cursor(), cursor(), cursor()),
        appended in 0..8_usize,
    ) {
        let memory = SharedMemory::new(512);
        let journal = memory.journal();
        for n in 0..appended {
            append(&journal, &[n as u8; 40]);
        }
        for (word, scribble) in scribbles {
            let at = word * 8;
            let value = match scribble {
                Scribble::Stamp => record_words(SALT, at, b"")[0],
                Scribble::NextStamp => record_words(SALT, at + 512, b"")[0],
                Scribble::Word(value) => value,
            };
            memory.word(at).store(value, Relaxed);
        }
        memory.cursors.reserved.store(reserved, Relaxed);
        memory.cursors.applied.store(applied, Relaxed);
        let readings = recover(&journal, from, EPOCH);
        let records = readings.records.iter().map(|r| (r.position, r.end));
        let findings = readings.findings.iter();
        let damage = findings.filter(|f| !matches!(f.damage, Damage::Cursors { .. }));
        let mut stretches: Vec<_> = records.chain(damage.map(|f| (f.from, f.to))).collect();
        stretches.sort_unstable();
        let mut position = from.div_ceil(8).saturating_mul(8);
        let end = position.saturating_add(512);
        for (from, to) in stretches {
            prop_assert!(from == position && from < to && to <= end);
            position = to;
        }
        // Every record returned was appended: scribbling does not make a checksum.
        for record in &readings.records {
            prop_assert_eq!(&record.payload, &[(record.position / 64) as u8; 40]);
        }
        read(&mut Reader::new(journal, from), EPOCH);
    }
}

#[test]
fn a_ring_of_the_kernels_type_will_do() {
    let words: &'static [AtomicU64] = Vec::leak((0..64).map(|_| AtomicU64::new(0)).collect());
    let cursors = Box::leak(Box::default());
    let journal: Journal<'static, &'static [AtomicU64]> =
        Journal::salted(words, cursors, SALT, Crc32c::portable()).unwrap();
    let record = append(&journal, b"portable");
    assert_eq!(recover(&journal, 0, EPOCH).records, [record]);
}
