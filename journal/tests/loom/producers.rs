//! Cores that append at the same time, and die.

use journal::{Damage, Reader};
use loom::sync::Arc;
use loom::thread;
use sharedmem::sync::{die_after, explore, explore_deaths};

use crate::memory::{RECORD_BYTES, STORES, SharedMemory, read};

/// Appends a record, and marks it as applied if everything before it is. It does not wait for the others, which may
/// be dead.
fn append_and_apply(memory: &SharedMemory, number: u8) {
    let journal = memory.journal();
    let appended = memory.append(number);
    if journal.cursors().applied == appended.position {
        journal.mark_applied(appended.end);
    }
}

#[test]
fn records_of_producers_at_once_are_all_there() {
    explore("journal, three producers", 2, || {
        let memory = SharedMemory::new(3);
        let producers = [1, 2].map(|number| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.append(number).position)
        });
        let mut expected = vec![(memory.append(3).position, 3)];
        for (producer, number) in producers.into_iter().zip(1..) {
            expected.push((producer.join().unwrap(), number));
        }
        expected.sort_unstable();
        assert_eq!(memory.recover(0), (expected, Vec::new()));
    });
}

#[test]
fn a_reader_beside_producers_sees_whole_records_in_order() {
    explore("journal, two producers and a reader", 2, || {
        let memory = SharedMemory::new(4);
        let producers = [1, 2].map(|number| {
            let memory = Arc::clone(&memory);
            thread::spawn(move || append_and_apply(&memory, number))
        });
        let mut reader = Reader::new(memory.journal(), 0);
        let mut numbers = read(&mut reader);
        numbers.extend(read(&mut reader));
        for producer in producers {
            producer.join().unwrap();
        }
        let (all, findings) = memory.recover(0);
        assert!(
            all.iter()
                .map(|(_, number)| number)
                .take(numbers.len())
                .eq(&numbers)
        );
        assert_eq!((all.len(), findings.len()), (2, 0));
    });
}

#[test]
fn who_sees_a_stamp_sees_the_record() {
    explore("journal, a recovery beside a producer", 3, || {
        let memory = SharedMemory::new(2);
        let producer = Arc::clone(&memory);
        let producer = thread::spawn(move || [1, 2].map(|number| producer.append(number)));
        // Read too early: a record that is not published is a hole, and no record is half there.
        let (_, findings) = memory.recover(0);
        for finding in findings {
            let damage = finding.damage;
            assert!(
                matches!(damage, Damage::Hole | Damage::TornTail),
                "{finding}"
            );
        }
        producer.join().unwrap();
        assert_eq!(
            memory.recover(0),
            (vec![(0, 1), (RECORD_BYTES, 2)], Vec::new())
        );
    });
}

#[test]
fn a_producer_that_dies_at_any_store_costs_its_record_and_no_other() {
    explore_deaths(
        "journal, a producer that dies, another one and a reader",
        2,
        STORES,
        |stores| {
            let memory = SharedMemory::new(4);
            let [dying, other] = [Arc::clone(&memory), Arc::clone(&memory)];
            let dying = thread::spawn(move || die_after(stores, || _ = dying.append(1)));
            let other = thread::spawn(move || {
                append_and_apply(&other, 2);
                append_and_apply(&other, 3);
            });
            let mut reader = Reader::new(memory.journal(), 0);
            let read_early = read(&mut reader);
            assert!(
                [&[][..], &[2], &[2, 3]].contains(&&*read_early),
                "{read_early:?}"
            );
            let has_lived = dying.join().unwrap();
            other.join().unwrap();
            let (all, findings) = memory.recover(0);
            let numbers: Vec<_> = all.iter().map(|(_, number)| *number).collect();
            let others: Vec<_> = numbers.iter().copied().filter(|it| *it != 1).collect();
            assert_eq!(others, [2, 3]);
            assert_eq!(numbers.contains(&1), has_lived);
            // Everything reserved is a record, or a hole that is named.
            let reserved = memory.journal().cursors().reserved;
            assert_eq!((all.len() + findings.len()) as u64, reserved / RECORD_BYTES);
            for hole in findings {
                assert!(matches!(hole.damage, Damage::Hole | Damage::TornTail));
                assert_eq!(hole.size_bytes(), RECORD_BYTES);
            }
        },
    );
}
