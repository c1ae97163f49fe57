//! The journal of its only producer.

use journal::{AppendError, Next, Owner, RawKind, Reader, Recovery};
use sharedmem::own_word::Overwritten;
use sharedmem::sync::AtomicU64;
use sharedmem::sync::Ordering::Relaxed;

use crate::fixture::{EPOCH, SharedMemory};

const KIND: RawKind = RawKind(1);

fn overwritten(error: AppendError) -> Overwritten {
    match error {
        AppendError::Overwritten(overwritten) => overwritten,
        error => panic!("{error}"),
    }
}

#[test]
fn a_cursor_that_somebody_overwrote_is_not_built_upon_and_is_restored() {
    let memory = SharedMemory::new(512);
    let mut owner = Owner::adopt(memory.journal());
    let first = owner.append(EPOCH, KIND, &[b"first"]).unwrap();
    owner.begin_applying(first);
    owner.end_applying(first);
    let cursors = &memory.cursors;
    let words: [(&str, &AtomicU64); 3] = [
        ("reserved", &cursors.reserved),
        ("applied", &cursors.applied),
        ("retained", &cursors.retained),
    ];
    for (name, word) in words {
        for bit in 0..64 {
            let truth = word.fetch_xor(1 << bit, Relaxed);
            let error = owner.append(EPOCH, KIND, &[b"lost"]).unwrap_err();
            assert_eq!(overwritten(error).word, name, "bit {bit}");
            assert_eq!(owner.check().unwrap_err().word, name);
            assert_eq!(owner.restore().unwrap().value, truth);
            assert_eq!(word.load(Relaxed), truth);
            assert_eq!((owner.check(), owner.restore()), (Ok(()), None));
        }
    }
    let second = owner.append(EPOCH, KIND, &[b"second"]).unwrap();
    assert_eq!(second.position, first.end);
    let mut recovery = Recovery::new(memory.journal(), 0, EPOCH);
    let mut buffer = Vec::new();
    for expected in [&b"first"[..], b"second"] {
        match recovery.next(&mut buffer) {
            Next::Record(record) => assert_eq!(record.payload, expected),
            next => panic!("{next:?}"),
        }
    }
    assert_eq!(recovery.next(&mut buffer), Next::End);
}

#[test]
fn an_owner_keeps_what_is_retained_only_if_the_cursors_agree() {
    for (retained, kept) in [(0, Some(0)), (1 << 40, None), (4, None)] {
        let memory = SharedMemory::new(512);
        memory.journal().append(EPOCH, KIND, &[b"x"]).unwrap();
        memory.cursors.retained.store(retained, Relaxed);
        let owner = Owner::adopt(memory.journal());
        assert_eq!(owner.journal().retained(), kept, "{retained}");
        assert_eq!(owner.check(), Ok(()));
    }
}

/// Reads to the end, and returns the number of steps in which a search went on.
fn searches(mut step: impl FnMut() -> bool) -> usize {
    std::iter::repeat_with(&mut step)
        .take_while(|is_searching| *is_searching)
        .count()
}

#[test]
fn a_search_through_a_large_ring_goes_on_in_steps() {
    const RING_BYTES: u64 = 512 << 10;
    let memory = SharedMemory::new(RING_BYTES as usize);
    // Nothing was ever written where the cursors promise something.
    memory.cursors.reserved.store(RING_BYTES, Relaxed);
    let mut recovery = Recovery::new(memory.journal(), 0, EPOCH);
    let mut buffer = Vec::new();
    let steps = searches(|| recovery.next(&mut buffer) == Next::Searching);
    assert_eq!(steps, RING_BYTES as usize / (32 << 10) - 1);
    // A waiting backup, too, and it stays where it is meanwhile.
    memory.cursors.applied.store(RING_BYTES, Relaxed);
    let mut reader = Reader::new(memory.journal(), 0);
    let steps = searches(|| {
        let next = reader.next(EPOCH, &mut buffer);
        let is_searching = next == Next::Searching;
        assert!(!is_searching || reader.position() == 0);
        is_searching
    });
    assert_eq!(steps, RING_BYTES as usize / (32 << 10) - 1);
}
