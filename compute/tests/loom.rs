//! The meeting of ranks under the model checker: `cargo xtask loom`.
#![cfg(loom)]

use std::sync::Arc;

use compute::{Collective, Error, Slots, words_for};
use loom::cell::UnsafeCell;
use loom::thread;
use sharedmem::sync::{AtomicU64, explore};

fn words(ranks: usize) -> Arc<Vec<AtomicU64>> {
    Arc::new((0..words_for(ranks)).map(|_| AtomicU64::new(0)).collect())
}

fn relax() -> Result<(), Error> {
    thread::yield_now();
    Ok(())
}

/// A cell that each rank writes in turn.
struct Handed(UnsafeCell<u64>);

// SAFETY: the model checker reports a race.
unsafe impl Sync for Handed {}
// SAFETY: as above.
unsafe impl Send for Handed {}

#[test]
fn what_was_written_before_a_meeting_is_seen_behind_it() {
    explore(
        "ranks that meet, and reuse what others have read",
        2,
        || {
            let (words, cells) = (
                words(2),
                Arc::new([0, 1].map(|_| Handed(UnsafeCell::new(0)))),
            );
            let life = |rank: usize, words: Arc<Vec<AtomicU64>>, cells: Arc<[Handed; 2]>| {
                let mut slots = Slots::new(&words, rank, 2, 7);
                for round in 1..=2 {
                    // SAFETY: the model checker reports a race.
                    cells[rank].0.with_mut(|it| unsafe { *it = round });
                    let mut seen = Vec::new();
                    let brought = [10 * round + rank as u64];
                    slots
                        .meet(Collective::Reduce(1), &brought, relax, |it| {
                            seen.push(it[0])
                        })
                        .unwrap();
                    assert_eq!(seen, [10 * round, 10 * round + 1]);
                    // SAFETY: as above.
                    cells[1 - rank]
                        .0
                        .with(|it| assert_eq!(unsafe { *it }, round));
                    slots.meet(Collective::Barrier, &[], relax, |_| ()).unwrap();
                }
            };
            let (others, their) = (Arc::clone(&words), Arc::clone(&cells));
            let other = thread::spawn(move || life(1, others, their));
            life(0, words, cells);
            other.join().unwrap();
        },
    );
}

#[test]
fn ranks_that_disagree_both_see_it() {
    explore("ranks that disagree", 3, || {
        let words = words(2);
        let life = |rank: usize, what: Collective, words: Arc<Vec<AtomicU64>>| {
            let mut slots = Slots::new(&words, rank, 2, 7);
            let met = slots.meet(what, &[], relax, |_| ());
            assert!(matches!(met, Err(Error::Disagreement { other, .. }) if other == 1 - rank));
        };
        let others = Arc::clone(&words);
        let other = thread::spawn(move || life(1, Collective::Barrier, others));
        life(0, Collective::End, words);
        other.join().unwrap();
    });
}
