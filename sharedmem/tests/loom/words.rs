//! Single words with a protocol: epoch, protection, a timeline's stamps.

use loom::sync::Arc;
use loom::thread;
use sharedmem::cause::Cause;
use sharedmem::epoch::EpochWord;
use sharedmem::protection::{ProtectionState, ProtectionWord};
use sharedmem::sync::{AtomicU64, Ordering, explore};
use sharedmem::timeline::{Edge, TimelineLog};

#[test]
fn who_sees_a_foreign_epoch_sees_what_was_done_before_it_was_raised() {
    explore("epoch word, raised while its primary reads it", 3, || {
        let shared = Arc::new((EpochWord::default(), AtomicU64::new(0)));
        let monitors = [1, 2].map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (epoch, fenced) = &*shared;
                fenced.store(1, Ordering::Relaxed);
                epoch.raise(0)
            })
        });
        let (epoch, fenced) = &*shared;
        let looks = [(); 3].map(|()| epoch.is_owned_by(0));
        assert!(
            looks.is_sorted_by(|before, after| before >= after),
            "{looks:?}"
        );
        if !looks[2] {
            assert_eq!(fenced.load(Ordering::Relaxed), 1);
        }
        let raised = monitors.map(|monitor| monitor.join().unwrap());
        assert!(
            matches!(raised, [Ok(1), Err(1)] | [Err(1), Ok(1)]),
            "{raised:?}"
        );
        assert!(!epoch.is_owned_by(0));
    });
}

/// Drops the backup, if the primary may, and then overwrites what the backup still needs.
fn drop_and_overwrite(protection: &ProtectionWord, journal: &AtomicU64) -> bool {
    let is_dropped = protection.drop_backup();
    if is_dropped {
        journal.store(1, Ordering::Relaxed);
    }
    is_dropped
}

#[test]
fn a_backup_is_claimed_or_dropped_and_never_both() {
    explore("protection word, claimed against dropped", 5, || {
        let shared = Arc::new((ProtectionWord::default(), AtomicU64::new(0)));
        shared.0.arm();
        let primaries = [1, 2].map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || drop_and_overwrite(&shared.0, &shared.1))
        });
        let is_claimed = shared.0.claim();
        if is_claimed {
            assert_eq!(shared.1.load(Ordering::Relaxed), 0);
        }
        let dropped = primaries.map(|primary| primary.join().unwrap());
        let drops = dropped.into_iter().filter(|dropped| *dropped).count();
        assert_eq!(drops + usize::from(is_claimed), 1);
        let state = [ProtectionState::Dropped, ProtectionState::Claimed][usize::from(is_claimed)];
        assert_eq!(shared.0.state(), state);
    });
}

#[test]
fn a_backup_that_gets_ready_is_dropped_or_claimed_and_not_left_between() {
    explore(
        "protection word, filled, armed and claimed against dropped",
        5,
        || {
            let shared = Arc::new((ProtectionWord::default(), AtomicU64::new(0)));
            shared.0.fill();
            let primary = Arc::clone(&shared);
            let primary = thread::spawn(move || drop_and_overwrite(&primary.0, &primary.1));
            let is_armed = shared.0.fill_to_arm();
            // It may die at once, or later.
            let is_claimed = is_armed && shared.1.load(Ordering::Relaxed) == 0 && shared.0.claim();
            let is_dropped = primary.join().unwrap();
            assert!(!(is_claimed && is_dropped));
            // If the primary finds no backup to drop, a takeover is under way.
            assert!(is_claimed || is_dropped, "{:?}", shared.0.state());
        },
    );
}

#[test]
fn a_backup_that_is_armed_while_it_is_dropped_is_one_of_both() {
    explore("protection word, armed against dropped", 5, || {
        let shared = Arc::new((ProtectionWord::default(), AtomicU64::new(0)));
        shared.0.fill();
        let primary = Arc::clone(&shared);
        let primary = thread::spawn(move || drop_and_overwrite(&primary.0, &primary.1));
        let is_armed = shared.0.fill_to_arm();
        let is_dropped = primary.join().unwrap();
        assert!(is_dropped, "{:?}, armed: {is_armed}", shared.0.state());
        assert!(!shared.0.claim());
    });
}

#[test]
fn the_first_stamp_of_an_edge_stays() {
    explore("timeline, an edge that two stamp", 3, || {
        let log = Arc::new(TimelineLog::default());
        log.of_epoch(3).begin(3, Cause::Silent, None);
        let stamping = [10, 20].map(|time_ns| {
            let log = Arc::clone(&log);
            thread::spawn(move || log.of_epoch(3).stamp(Edge::DevicesAdopted, time_ns))
        });
        let seen = [(); 2].map(|()| log.of_epoch(3).edge_ns(Edge::DevicesAdopted));
        for thread in stamping {
            thread.join().unwrap();
        }
        let last = log.of_epoch(3).edge_ns(Edge::DevicesAdopted);
        assert!(last == Some(10) || last == Some(20));
        assert!(
            seen.iter().all(|it| it.is_none() || *it == last),
            "{seen:?} {last:?}"
        );
        assert!(!(seen[0].is_some() && seen[1].is_none()));
    });
}
