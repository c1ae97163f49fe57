//! Several producers at once, on threads.

use std::sync::atomic::Ordering::AcqRel;
use std::thread::{scope, yield_now};
use std::time::{Duration, Instant};

use journal::{AppendError, Journal, Next, RawKind, Reader};
use sharedmem::Words;

use crate::fixture::{EPOCH, SharedMemory, recover};

const PRODUCERS: u16 = 4;

/// Ends a test whose threads wait for each other for ever.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(60))
    }

    fn wait(self) {
        assert!(Instant::now() < self.0, "nothing moves any more");
        yield_now();
    }
}

/// Returns the payload of a producer's record: its number, repeated to some odd length.
fn payload(producer: u16, number: u32) -> Vec<u8> {
    let repeats = 1 + (number as usize * 7 + usize::from(producer)) % 30;
    number.to_le_bytes().repeat(repeats)
}

/// Checks that a record is its producer's next one.
fn check_next(next: &mut [u32; PRODUCERS as usize], kind: RawKind, found: &[u8]) {
    let expected = &mut next[usize::from(kind.0)];
    assert_eq!(found, payload(kind.0, *expected));
    *expected += 1;
}

#[test]
fn records_of_many_producers_all_arrive_whole_and_in_each_ones_order() {
    const RECORDS: u32 = 500;
    let memory = SharedMemory::new(256 << 10);
    scope(|scope| {
        for producer in 0..PRODUCERS {
            let journal = memory.journal();
            scope.spawn(move || {
                for number in 0..RECORDS {
                    let payload = payload(producer, number);
                    journal
                        .append(EPOCH, RawKind(producer), &[&payload])
                        .unwrap();
                }
            });
        }
    });
    let readings = recover(&memory.journal(), 0, EPOCH);
    assert_eq!(readings.findings, []);
    let mut next = [0; PRODUCERS as usize];
    for record in &readings.records {
        check_next(&mut next, record.kind, &record.payload);
    }
    assert_eq!(next, [RECORDS; PRODUCERS as usize]);
}

/// Appends, waiting for room; then applies in the journal's order, as a primary does.
fn append_and_apply<W: Words + Copy>(journal: &Journal<'_, W>, producer: u16, number: u32) {
    let deadline = Deadline::new();
    let payload = payload(producer, number);
    let appended = loop {
        match journal.append(EPOCH, RawKind(producer), &[&payload]) {
            Ok(appended) => break appended,
            Err(AppendError::Full { .. }) => deadline.wait(),
            Err(error) => panic!("{error}"),
        }
    };
    while journal.cursors().applied != appended.position {
        deadline.wait();
    }
    journal.mark_applied(appended.end);
}

#[test]
fn a_backup_that_follows_sees_every_record_over_many_laps() {
    const RECORDS: u32 = 3000;
    let memory = SharedMemory::new(1024);
    let mut next = [0; PRODUCERS as usize];
    let deadline = Deadline::new();
    scope(|scope| {
        for producer in 0..PRODUCERS {
            let journal = memory.journal();
            scope.spawn(move || {
                for number in 0..RECORDS {
                    append_and_apply(&journal, producer, number);
                }
            });
        }
        let journal = memory.journal();
        let (mut reader, mut buffer) = (Reader::new(journal, 0), Vec::new());
        while next != [RECORDS; PRODUCERS as usize] {
            match reader.next(EPOCH, &mut buffer) {
                Next::Record(record) => check_next(&mut next, record.kind, record.payload),
                Next::Finding(finding) => panic!("{finding}"),
                Next::Searching => {}
                Next::End => deadline.wait(),
            }
            journal.mark_consumed(reader.position());
        }
    });
    let laps = memory.journal().cursors().reserved / memory.journal().capacity_bytes();
    assert!(laps > 100, "{laps} laps");
    assert_eq!(memory.journal().lag_bytes(), 0);
}

/// Checks that a producer is not told of corruption when it is stopped between reading the two cursors, while the
/// others go round the ring.
#[test]
fn cursors_that_move_on_between_two_looks_are_not_called_corrupt() {
    let memory = SharedMemory::new(256);
    let end = Instant::now() + Duration::from_secs(1);
    scope(|scope| {
        for _ in 0..PRODUCERS {
            let (journal, consumed) = (memory.journal(), &memory.cursors.consumed);
            scope.spawn(move || {
                while Instant::now() < end {
                    for _ in 0..1000 {
                        match journal.append(EPOCH, RawKind(0), &[]) {
                            Ok(appended) => _ = consumed.fetch_max(appended.end, AcqRel),
                            Err(AppendError::Full { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
}
