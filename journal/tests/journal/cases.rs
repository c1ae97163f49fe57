//! The cases of the recovery table, one after another.

use std::sync::atomic::Ordering::Relaxed;

use journal::{Damage, Finding, RawKind, Reader, Recovery};

use crate::fixture::{Dying, EPOCH, Kept, SharedMemory, append, read, recover, wear_in};

/// Appends three records in a used ring. Returns them, and where they begin.
fn three_records() -> (SharedMemory, u64, [Kept; 3]) {
    let memory = SharedMemory::new(512);
    let from = wear_in(&memory);
    let payloads: [&[u8]; 3] = [b"first", b"the second", b""];
    let journal = memory.journal();
    let records = payloads.map(|payload| append(&journal, payload));
    (memory, from, records)
}

fn finding(from: u64, to: u64, damage: Damage) -> Finding {
    Finding {
        from,
        to,
        damage,
        was_applied: false,
    }
}

fn reserve_up_to(memory: &SharedMemory, reserved: u64) {
    memory.cursors.reserved.store(reserved, Relaxed);
}

#[test]
fn b_and_g_an_intact_journal_is_read_to_its_end() {
    let (memory, from, records) = three_records();
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.records, records);
    assert_eq!(readings.findings, []);
    let rest = recover(&memory.journal(), records[2].end, EPOCH);
    assert_eq!(rest, Default::default());
}

#[test]
fn c_a_hole_is_named_and_the_record_behind_it_returned() {
    let (memory, from, records) = three_records();
    let [first, second, third] = &records;
    memory.word(second.position).store(0, Relaxed);
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.records, [first.clone(), third.clone()]);
    let hole = finding(second.position, third.position, Damage::Hole);
    assert_eq!(readings.findings, [hole]);
    let position = second.position;
    assert_eq!(
        readings.descriptions(),
        [format!(
            "hole of 40 bytes at position {position}: a producer died before it published"
        )]
    );
}

#[test]
fn c_a_torn_tail_ends_where_the_reservation_ends() {
    let (memory, from, records) = three_records();
    let dying = Dying::after(&memory, 2);
    let torn = append(&dying.journal(), &[3; 100]);
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.records, records);
    assert_eq!(
        readings.findings,
        [finding(torn.position, torn.end, Damage::TornTail)]
    );
}

#[test]
fn d_a_length_that_cannot_be_is_not_followed() {
    for bit in [7, 20, 31] {
        let (memory, from, records) = three_records();
        let [first, second, third] = &records;
        let length_bytes = second.payload.len() as u32 | 1 << bit;
        memory.word(second.position + 8).fetch_or(1 << bit, Relaxed);
        let readings = recover(&memory.journal(), from, EPOCH);
        assert_eq!(readings.records, [first.clone(), third.clone()]);
        let damage = Damage::Length { length_bytes };
        assert_eq!(
            readings.findings,
            [finding(second.position, third.position, damage)]
        );
    }
}

#[test]
fn d_a_whole_record_larger_than_any_may_be_is_not_returned() {
    let (large, small) = (SharedMemory::new(4096), SharedMemory::new(512));
    let oversized = append(&large.journal(), &[1; 200]);
    for at in (0..oversized.end).step_by(8) {
        small.word(at).store(large.word(at).load(Relaxed), Relaxed);
    }
    reserve_up_to(&small, oversized.end);
    let readings = recover(&small.journal(), 0, EPOCH);
    assert_eq!(readings.records, []);
    let damage = Damage::Length { length_bytes: 200 };
    assert_eq!(readings.findings, [finding(0, oversized.end, damage)]);
}

#[test]
fn d_a_record_that_runs_past_the_end_is_not_returned() {
    let (memory, from, [first, second, _]) = three_records();
    for end in (first.end + 8..second.end).step_by(8) {
        reserve_up_to(&memory, end);
        let readings = recover(&memory.journal(), from, EPOCH);
        assert_eq!(readings.payloads(), [&first.payload]);
        let damage = Damage::Length {
            length_bytes: second.payload.len() as u32,
        };
        assert_eq!(readings.findings, [finding(first.end, end, damage)]);
    }
}

#[test]
fn e_a_corrupt_record_is_named_and_those_around_it_returned() {
    let (memory, from, records) = three_records();
    let [first, second, third] = &records;
    memory.word(second.position + 24).fetch_xor(4, Relaxed);
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.records, [first.clone(), third.clone()]);
    assert_eq!(
        readings.findings,
        [finding(second.position, third.position, Damage::Checksum)]
    );
}

#[test]
fn e_a_corrupt_tail_ends_where_the_reservation_ends() {
    for payload in [&b"some bytes"[..], b""] {
        let (memory, from, records) = three_records();
        let journal = memory.journal();
        let bad = journal.append(EPOCH, RawKind(1), &[payload]).unwrap();
        journal.corrupt_for_test(bad);
        let readings = recover(&journal, from, EPOCH);
        assert_eq!(readings.records, records);
        assert_eq!(
            readings.findings,
            [finding(bad.position, bad.end, Damage::Checksum)]
        );
    }
}

#[test]
fn f_records_of_foreign_epochs_are_skipped_and_named() {
    let memory = SharedMemory::new(1024);
    let journal = memory.journal();
    let mut expected = Vec::new();
    let mut foreign = Vec::new();
    for (epoch, is_foreign) in [
        (3, false),
        (3, false),
        (5, false),
        (4, true),
        (8, true),
        (7, false),
    ] {
        let appended = journal.append(epoch, RawKind(1), &[b"payload"]).unwrap();
        if is_foreign {
            let damage = Damage::ForeignEpoch { epoch };
            foreign.push(finding(appended.position, appended.end, damage));
        } else {
            expected.push((appended.position, epoch));
        }
    }
    let readings = recover(&journal, 0, 7);
    let returned = readings.records.iter();
    let returned: Vec<_> = returned.map(|r| (r.position, r.epoch)).collect();
    assert_eq!(returned, expected);
    assert_eq!(readings.findings, foreign);
}

#[test]
fn a_without_sane_cursors_all_records_in_the_ring_are_found() {
    let (_, from, records) = three_records();
    let end = records[2].end;
    // Values written over the cursors: reserved, applied.
    for (reserved, applied) in [
        (from - 8, from),
        (from + 512 + 8, from),
        (from + 4, from),
        (0, 0),
        (u64::MAX, u64::MAX),
        (u64::MAX - 7, from),
        (end, from + 512 + 8),
        (end, from + 1),
        (records[0].end, end),
    ] {
        let (memory, ..) = three_records();
        memory.cursors.reserved.store(reserved, Relaxed);
        memory.cursors.applied.store(applied, Relaxed);
        let readings = recover(&memory.journal(), from, EPOCH);
        assert_eq!(readings.records, records, "{reserved} {applied}");
        let damage = Damage::Cursors { reserved, applied };
        let is_reserved_sane = reserved == end;
        let to = if is_reserved_sane { end } else { from + 512 };
        assert_eq!(readings.findings, [finding(from, to, damage)]);
    }
}

#[test]
fn a_an_applied_beyond_reserved_is_missed_as_well() {
    let (memory, from, records) = three_records();
    let (reserved, applied) = (records[2].end, records[2].end + 40);
    memory.journal().mark_applied(applied);
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.records, records);
    let damage = Damage::Cursors { reserved, applied };
    let missing = Finding {
        was_applied: true,
        ..finding(reserved, applied, Damage::TornTail)
    };
    assert_eq!(
        readings.findings,
        [finding(from, from + 512, damage), missing]
    );
}

#[test]
fn a_without_a_reservation_what_was_applied_is_still_missed() {
    let (memory, from, [first, second, third]) = three_records();
    let journal = memory.journal();
    memory.cursors.reserved.store(u64::MAX, Relaxed);
    journal.mark_applied(third.end);
    memory.word(third.position).store(0, Relaxed);
    let readings = recover(&journal, from, EPOCH);
    assert_eq!(readings.records, [first, second]);
    let missing = Finding {
        was_applied: true,
        ..finding(third.position, third.end, Damage::TornTail)
    };
    assert_eq!(readings.findings[1..], [missing]);
}

#[test]
fn damage_below_applied_says_that_it_was_applied() {
    let (memory, from, [first, second, third]) = three_records();
    memory.journal().mark_applied(second.end);
    memory.word(second.position).fetch_xor(1, Relaxed);
    memory.word(third.position + 16).fetch_xor(1, Relaxed);
    let readings = recover(&memory.journal(), from, EPOCH);
    assert_eq!(readings.payloads(), [&first.payload]);
    let was_applied: Vec<_> = readings.findings.iter().map(|f| f.was_applied).collect();
    assert_eq!(was_applied, [true]);
    assert!(readings.descriptions()[0].ends_with("the primary had applied what is missing"));
}

#[test]
fn a_waiting_reader_stops_at_applied_and_names_damage_below_it() {
    let (memory, from, [first, second, third]) = three_records();
    let journal = memory.journal();
    let mut reader = Reader::new(journal, from);
    assert_eq!(read(&mut reader, EPOCH), Default::default());
    journal.mark_applied(first.end);
    assert_eq!(read(&mut reader, EPOCH).payloads(), [&first.payload]);
    assert_eq!(reader.position(), first.end);

    memory.word(second.position + 24).fetch_xor(1, Relaxed);
    journal.mark_applied(second.end);
    let readings = read(&mut reader, EPOCH);
    assert_eq!(readings.records, []);
    let damaged = Finding {
        was_applied: true,
        ..finding(second.position, second.end, Damage::Checksum)
    };
    assert_eq!(readings.findings, [damaged]);
    let mut recovery = reader.recover(EPOCH);
    let mut buffer = Vec::new();
    assert_eq!(
        recovery.next(&mut buffer),
        journal::Next::Record(journal::Record {
            position: third.position,
            end: third.end,
            epoch: EPOCH,
            kind: third.kind,
            payload: &[],
        })
    );
}

#[test]
fn a_waiting_reader_says_once_that_applied_is_astray_and_stays() {
    let (memory, from, records) = three_records();
    let journal = memory.journal();
    let mut reader = Reader::new(journal, from);
    for applied in [from - 8, from + 512 + 8, from + 1, u64::MAX, 0] {
        journal.mark_applied(applied);
        let readings = read(&mut reader, EPOCH);
        assert_eq!((readings.records.len(), readings.findings.len()), (0, 1));
        assert!(readings.descriptions()[0].ends_with("reading nothing"));
        assert_eq!(read(&mut reader, EPOCH), Default::default());
    }
    journal.mark_applied(records[2].end);
    assert_eq!(read(&mut reader, EPOCH).records, records);
}

#[test]
fn a_reader_keeps_the_epoch_it_has_seen_into_its_recovery() {
    let memory = SharedMemory::new(512);
    let journal = memory.journal();
    let seen = journal.append(5, RawKind(1), &[]).unwrap();
    journal.append(4, RawKind(1), &[]).unwrap();
    journal.mark_applied(seen.end);
    let mut reader = Reader::new(journal, 0);
    assert_eq!(read(&mut reader, 5).records.len(), 1);
    let mut buffer = Vec::new();
    let next = reader.recover(5).next(&mut buffer);
    assert!(
        matches!(next, journal::Next::Finding(f) if f.damage == Damage::ForeignEpoch { epoch: 4 })
    );
}

#[test]
fn what_the_old_primary_left_beyond_its_end_is_foreign_once_the_new_one_has_begun() {
    let (memory, from, records) = three_records();
    let journal = memory.journal();
    // The old primary's cursor says that it had reserved less than it wrote: the new one begins amid its records.
    memory.cursors.reserved.store(records[0].end, Relaxed);
    journal.mark_applied(records[0].end);
    journal.resume(Recovery::new(journal, from, EPOCH).resume_position());
    let first = journal.append(EPOCH + 1, RawKind(6), &[]).unwrap();
    assert_eq!(first.position, records[0].end);
    // The new primary reserves the rest of the ring and dies before it writes.
    let left_bytes = from + 512 - first.end;
    Dying::after(&memory, 0)
        .journal()
        .append(
            EPOCH + 1,
            RawKind(1),
            &[&vec![0; left_bytes as usize / 4 - 24]],
        )
        .unwrap();
    let readings = recover(&journal, from, EPOCH + 1);
    let positions: Vec<_> = readings
        .records
        .iter()
        .map(|record| record.position)
        .collect();
    assert_eq!(positions, [from, first.position]);
}

#[test]
fn cursors_that_make_no_sense_are_left_a_lap_behind() {
    let (memory, from, records) = three_records();
    let journal = memory.journal();
    memory.cursors.reserved.store(records[0].end + 4, Relaxed);
    let recovery = Recovery::new(journal, from, EPOCH);
    assert!(!recovery.is_intact());
    journal.restart(recovery.resume_position());
    let resumed = journal.cursors().reserved;
    assert_eq!((resumed, journal.retained()), (from + 512, None));
    // The new primary reserves the whole ring and dies before it writes.
    for _ in 0..4 {
        append(&Dying::after(&memory, 0).journal(), &[0; 104]);
    }
    let readings = recover(&journal, resumed, EPOCH);
    assert_eq!(
        readings.findings,
        [finding(resumed, resumed + 512, Damage::TornTail)]
    );
    assert_eq!(readings.records, []);
}
