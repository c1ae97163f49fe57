//! Room that is used again, records that are kept for a backup that begins, and the record that is being applied.

use journal::{Journal, RawKind, Reader};
use loom::sync::Arc;
use loom::thread;
use sharedmem::Words;
use sharedmem::sync::explore;

use crate::memory::{EPOCH, RECORD_BYTES, SharedMemory, read};

/// Tries to append a record. Returns whether there was room.
fn has_appended<W: Words + Copy>(journal: &Journal<'_, W>, number: u8) -> bool {
    journal
        .append(EPOCH, RawKind(number.into()), &[&[number; 8]])
        .is_ok()
}

#[test]
fn room_is_used_again_only_when_its_reader_is_done() {
    explore("journal, room that is used again", 3, || {
        let memory = SharedMemory::new(2);
        for number in [1, 2] {
            memory.journal().mark_applied(memory.append(number).end);
        }
        let backup = Arc::clone(&memory);
        let backup = thread::spawn(move || {
            let journal = backup.journal();
            let mut reader = Reader::new(journal, 0);
            let first = read(&mut reader);
            journal.mark_consumed(reader.position());
            [first, read(&mut reader)].concat()
        });
        let journal = memory.journal();
        let appended = [3, 4].map(|number| {
            let is_in = has_appended(&journal, number);
            journal.mark_applied(journal.cursors().reserved);
            is_in
        });
        let count = appended.into_iter().filter(|is_in| *is_in).count();
        let seen = backup.join().unwrap();
        assert!(
            seen.starts_with(&[1, 2]) && seen.len() <= 2 + count,
            "{seen:?}"
        );
    });
}

/// Checks that what a backup begins with is kept for it. The backup begins at a checkpoint; at the same time the
/// primary has just written another one, and two of its cores use the room of the first.
#[test]
fn what_a_backup_begins_with_is_kept_for_it() {
    explore(
        "journal, a backup that begins beside a checkpoint",
        2,
        || {
            let memory = SharedMemory::new(4);
            for number in 0..4 {
                memory.journal().mark_applied(memory.append(number).end);
            }
            // There was no backup so far: the primary frees the room itself.
            memory.journal().retain(Some(0));
            memory.journal().mark_consumed(4 * RECORD_BYTES);
            let [seat, other] = [Arc::clone(&memory), Arc::clone(&memory)];
            let seat = thread::spawn(move || {
                let mut reader = Reader::begin(seat.journal());
                let from = reader.position();
                (from, read(&mut reader))
            });
            let other = thread::spawn(move || has_appended(&other.journal(), 2));
            let journal = memory.journal();
            journal.retain(Some(2 * RECORD_BYTES));
            has_appended(&journal, 4);
            other.join().unwrap();
            let (from, numbers) = seat.join().unwrap();
            let expected: &[u8] = match from {
                0 => &[0, 1, 2, 3],
                _ => &[2, 3],
            };
            assert_eq!(numbers, expected);
            // It is still there.
            assert_eq!(read(&mut Reader::new(memory.journal(), from)), expected);
        },
    );
}

#[test]
fn the_record_that_is_being_applied_can_be_read_by_who_is_told_of_it() {
    explore("applying word, settled beside its primary", 3, || {
        let memory = SharedMemory::new(4);
        let primary = Arc::clone(&memory);
        let primary = thread::spawn(move || {
            let applying = &primary.cursors.applying;
            for number in [1, 2] {
                let appended = primary.append(number);
                applying.begin(appended.position);
                applying.end();
                primary.journal().mark_applied(appended.end);
            }
            applying.begin(primary.append(3).position);
        });
        if let Some(suspect) = memory.cursors.applying.settle() {
            assert_eq!(suspect.deaths, 1);
            let (records, findings) = memory.recover(suspect.position);
            assert_eq!(
                records.first().map(|record| record.0),
                Some(suspect.position)
            );
            assert!(
                findings
                    .iter()
                    .all(|finding| finding.from > suspect.position)
            );
        }
        primary.join().unwrap();
    });
}
