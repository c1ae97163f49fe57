//! What is appended, and what is refused.

use std::sync::atomic::Ordering::Relaxed;

use journal::{AppendError, EPOCH_MAX, Next, RawKind, Recovery};

use crate::fixture::{EPOCH, Kept, SharedMemory, append, recover};

#[test]
fn a_payload_in_pieces_comes_out_whole_also_over_the_rings_end() {
    let memory = SharedMemory::new(256);
    let journal = memory.journal();
    journal.restart(256 - 16);
    let pieces: [&[u8]; 4] = [b"SET", b"", b" key ", b"and a longer value"];
    let appended = journal
        .append(EPOCH_MAX, RawKind(u16::MAX), &pieces)
        .unwrap();
    assert_eq!((appended.position, appended.end), (240, 240 + 24 + 32));
    let expected = Kept {
        position: 240,
        end: 296,
        epoch: EPOCH_MAX,
        kind: RawKind(u16::MAX),
        payload: b"SET key and a longer value".to_vec(),
    };
    assert_eq!(recover(&journal, 240, EPOCH_MAX).records, [expected]);
}

#[test]
fn the_ring_can_be_filled_to_the_last_byte_and_not_over() {
    let memory = SharedMemory::new(128);
    let journal = memory.journal();
    let records: Vec<_> = (0..4).map(|n| append(&journal, &[n; 8])).collect();
    assert_eq!(journal.free_bytes(), 0);
    let before = memory.snapshot();
    let full = AppendError::Full {
        needed_bytes: 24,
        free_bytes: 0,
    };
    assert_eq!(journal.append(EPOCH, RawKind(0), &[]), Err(full));
    assert_eq!(
        (memory.snapshot(), journal.cursors().reserved),
        (before, 128)
    );
    assert_eq!(recover(&journal, 0, EPOCH).records, records);

    journal.mark_consumed(records[0].end);
    let full = AppendError::Full {
        needed_bytes: 40,
        free_bytes: 32,
    };
    assert_eq!(journal.append(EPOCH, RawKind(0), &[&[1; 9]]), Err(full));
    append(&journal, &[9; 8]);
    assert_eq!(journal.free_bytes(), 0);
}

#[test]
fn what_is_retained_is_kept_though_it_is_consumed() {
    let memory = SharedMemory::new(128);
    let journal = memory.journal();
    let records: Vec<_> = (0..3).map(|n| append(&journal, &[n; 8])).collect();
    journal.retain(Some(records[1].position));
    journal.mark_applied(records[2].end);
    journal.mark_consumed(records[2].end);
    assert_eq!((journal.lag_bytes(), journal.retained_bytes()), (0, 64));
    let kept = [append(&journal, &[3; 8]), append(&journal, &[4; 8])];
    let full = AppendError::Full {
        needed_bytes: 32,
        free_bytes: 0,
    };
    assert_eq!(journal.append(EPOCH, RawKind(0), &[&[5; 8]]), Err(full));
    assert_eq!(
        recover(&journal, records[1].position, EPOCH).records,
        [&records[1..], &kept].concat()
    );
    journal.retain(None);
    assert_eq!(journal.free_bytes(), 64);
    append(&journal, &[5; 8]);
}

#[test]
fn a_record_can_be_given_another_kind() {
    let memory = SharedMemory::new(128);
    let journal = memory.journal();
    journal.resume(128 - 16);
    journal.retain(None);
    let mut records = [append(&journal, b"before"), append(&journal, b"kills")];
    let (mut recovery, mut buffer) = (Recovery::new(journal, 112, EPOCH), Vec::new());
    let Next::Record(first) = recovery.next(&mut buffer) else {
        panic!("no record");
    };
    journal.relabel(&first, RawKind(0x8001));
    records[0].kind = RawKind(0x8001);
    assert_eq!(recover(&journal, 112, EPOCH).records, records);
}

#[test]
fn the_largest_payload_fits_and_one_byte_more_does_not() {
    let memory = SharedMemory::new(4096);
    let journal = memory.journal();
    assert_eq!(append(&journal, &[1; 1024]).end, 1024 + 24);
    let too_large = AppendError::TooLarge {
        payload_bytes: 1025,
        max_bytes: 1024,
    };
    let payload: [&[u8]; 2] = [&[1; 1024], &[1]];
    assert_eq!(journal.append(EPOCH, RawKind(0), &payload), Err(too_large));
    let epoch = EPOCH_MAX + 1;
    assert_eq!(
        journal.append(epoch, RawKind(0), &[]),
        Err(AppendError::EpochTooLarge { epoch })
    );
}

#[test]
fn scribbled_cursors_refuse_the_append_and_nothing_is_written() {
    let memory = SharedMemory::new(128);
    let journal = memory.journal();
    let last = u64::MAX - 7;
    for (reserved, consumed) in [
        (0, 8),
        (136, 0),
        (4, 0),
        (u64::MAX, 0),
        (0, u64::MAX),
        (last, last),
    ] {
        memory.cursors.reserved.store(reserved, Relaxed);
        memory.cursors.consumed.store(consumed, Relaxed);
        assert_eq!(
            journal.append(EPOCH, RawKind(0), &[&[1; 8]]),
            Err(AppendError::CursorsCorrupt {
                reserved,
                floor: consumed
            })
        );
        assert_eq!(memory.cursors.reserved.load(Relaxed), reserved);
    }
    assert_eq!(memory.snapshot(), [0; 16]);
}

#[test]
fn errors_say_what_would_work() {
    let say = |error: AppendError| error.to_string();
    let full = AppendError::Full {
        needed_bytes: 40,
        free_bytes: 32,
    };
    assert_eq!(
        say(full),
        "journal full: the record needs 40 bytes, 32 are free until the backup applies more"
    );
    let too_large = AppendError::TooLarge {
        payload_bytes: 1025,
        max_bytes: 1024,
    };
    assert_eq!(
        say(too_large),
        "payload of 1025 bytes is too large for this journal: at most 1024 would fit one record"
    );
}
