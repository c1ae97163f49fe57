//! Records of an earlier lap, whole and with the right stamp, at positions that a lowered cursor leads to.

use std::sync::atomic::Ordering::Relaxed;

use journal::{Damage, RawKind, Reader, Recovery};

use crate::fixture::{Dying, EPOCH, SharedMemory, append, read, recover, wear_in};

const CAPACITY_BYTES: u64 = 512;

/// Bytes of the records of [`wear_in`], whose payloads have 13 bytes.
const RECORD_BYTES: u64 = 40;

/// The kind of a record that is never published.
const KIND: RawKind = RawKind(1);

/// Makes a ring full of old records, in which everything from `retained` on makes the state: three records.
fn three_retained() -> (SharedMemory, u64) {
    let memory = SharedMemory::new(CAPACITY_BYTES as usize);
    let retained = wear_in(&memory);
    let journal = memory.journal();
    journal.retain(Some(retained));
    for number in 0..3 {
        journal.mark_applied(append(&journal, &[number; 13]).end);
    }
    journal.mark_consumed(journal.cursors().applied);
    (memory, retained)
}

/// Returns `retained` lowered by each power of two from a lap on, as one flipped bit does, and by everything up to
/// two laps.
fn lowered(retained: u64) -> impl Iterator<Item = u64> {
    let by_a_bit = (9..64)
        .map(|bit| 1 << bit)
        .filter(move |bit| retained & bit != 0);
    let by_any = (CAPACITY_BYTES..2 * CAPACITY_BYTES).step_by(8);
    by_a_bit.chain(by_any).map(move |by| retained - by)
}

#[test]
fn a_retained_cursor_that_is_lowered_by_a_lap_and_more_leads_nobody_to_old_records() {
    let (memory, retained) = three_retained();
    let before = memory.image();
    for lowered in lowered(retained) {
        memory.restore(&before);
        memory.cursors.retained.store(lowered, Relaxed);
        let journal = memory.journal();
        // The three records lie behind it: a lap ends at the last of them at the most.
        let end = journal.cursors().reserved;
        if end - lowered <= CAPACITY_BYTES {
            continue;
        }
        let mut reader = Reader::begin(journal);
        assert_eq!(reader.position(), end, "{lowered}");
        assert_eq!(read(&mut reader, EPOCH).records, [], "{lowered}");
        let readings = recover(&journal, reader.position(), EPOCH);
        assert_eq!(
            (readings.records, readings.findings),
            (vec![], vec![]),
            "{lowered}"
        );
    }
}

#[test]
fn an_owner_that_dies_before_its_first_record_leaves_no_old_one_in_its_place() {
    let (memory, retained) = three_retained();
    let before = memory.image();
    for lowered in lowered(retained) {
        memory.restore(&before);
        let journal = memory.journal();
        // A reader that was led astray goes on a lap behind where it was, which may be before the end.
        let recovery = Recovery::new(journal, lowered, EPOCH);
        assert!(!recovery.is_intact());
        let resumed = recovery.resume_position();
        journal.restart(resumed);
        Dying::after(&memory, 0)
            .journal()
            .append(EPOCH + 1, KIND, &[&[0; 13]])
            .unwrap();
        let readings = recover(&journal, resumed, EPOCH + 1);
        assert_eq!(readings.records, [], "{lowered}: {resumed}");
        let [finding] = readings.findings[..] else {
            panic!("{lowered}: {:?}", readings.findings);
        };
        assert_eq!(
            (finding.from, finding.size_bytes(), finding.damage),
            (resumed, RECORD_BYTES, Damage::TornTail),
            "{lowered}"
        );
    }
}
