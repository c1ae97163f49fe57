//! The keepalive slot: a reader never sees parts of two keepalives.

use loom::sync::Arc;
use loom::thread;
use sharedmem::keepalive::{Keepalive, KeepaliveSlot};
use sharedmem::sync::{die_after, explore, explore_deaths};

/// Makes a keepalive in which every number is `number`.
fn keepalive(number: u64) -> Keepalive {
    let mut keepalive = Keepalive::first(number, 1);
    (keepalive.sequence, keepalive.time_ns) = (number, number);
    keepalive.progress[0] = number;
    keepalive
}

/// Returns the number of a keepalive, which must be complete.
fn number_of(seen: &Keepalive) -> u64 {
    assert_eq!(*seen, keepalive(seen.sequence), "torn");
    seen.sequence
}

#[test]
fn a_keepalive_is_read_whole_and_never_an_older_one_after_a_newer() {
    explore("keepalive slot, a reader beside its writer", 3, || {
        let slot = Arc::new(KeepaliveSlot::default());
        let writer = Arc::clone(&slot);
        let writer = thread::spawn(move || (1..=2).for_each(|n| writer.publish(&keepalive(n))));
        let first = slot.read().map_or(0, |seen| number_of(&seen));
        let second = slot.read().map_or(first, |seen| number_of(&seen));
        assert!(first <= second, "{first} {second}");
        writer.join().unwrap();
        assert_eq!(slot.read(), Some(keepalive(2)));
    });
}

/// Version, five words, version.
const STORES: usize = 7;

#[test]
fn a_writer_that_dies_half_way_leaves_no_news() {
    explore_deaths("keepalive slot, a writer that dies", 3, STORES, |stores| {
        let slot = Arc::new(KeepaliveSlot::default());
        slot.publish(&keepalive(1));
        let writer = Arc::clone(&slot);
        let writer = thread::spawn(move || die_after(stores, || writer.publish(&keepalive(2))));
        if let Some(seen) = slot.read() {
            number_of(&seen);
        }
        let has_lived = writer.join().unwrap();
        assert_eq!(has_lived, stores == STORES);
        let left = match stores {
            0 => Some(keepalive(1)),
            STORES => Some(keepalive(2)),
            _ => None,
        };
        assert_eq!(slot.read(), left);
        // The next writer starts cleanly.
        slot.publish(&keepalive(3));
        assert_eq!(slot.read(), Some(keepalive(3)));
    });
}
