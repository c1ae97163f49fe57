//! A computation that dies at any instant, and is entered again, ends as one that did not.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use compute::testing::Block;
use compute::{Error, Rank, Region};
use compute_slice::SliceEntry;
use proptest::prelude::*;
use sharedmem::sync::{Observer, observe};

const RANKS: usize = 3;
const CELLS: usize = 48;
const STEPS: u64 = 12;

/// Dies at one of its accesses to the words that ranks share.
struct Doom {
    left: Cell<u64>,
}

impl Doom {
    fn count(&self) {
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        assert!(left != 0, "killed");
    }
}

impl Observer for Doom {
    fn load(&self, word: &AtomicU64) -> u64 {
        self.count();
        word.load(Ordering::Acquire)
    }

    fn store(&self, word: &AtomicU64, value: u64) {
        self.count();
        word.store(value, Ordering::SeqCst);
    }

    fn exclusive(&self, _word: &AtomicU64) {
        self.count();
    }
}

/// When the ranks die: each after so many accesses to shared words, or elements written.
#[derive(Clone, Copy, Debug)]
struct Deaths {
    accesses: [u64; RANKS],
    elements: [u64; RANKS],
}

const NEVER: u64 = u64::MAX;

/// Computes a diffusion with a global sum in each step. Any repetition of half a step would change the result.
fn program(rank: &mut Rank<'_>, deaths: Deaths) -> Result<u8, Error> {
    let number = rank.number();
    let doom = Doom {
        left: Cell::new(deaths.accesses[number]),
    };
    observe(Some(Rc::new(doom)));
    let left = Cell::new(deaths.elements[number]);
    let ended = steps(rank, &|| {
        let now = left.get();
        left.set(now.wrapping_sub(1));
        assert!(now != 0, "killed while it writes");
    });
    observe(None);
    ended
}

fn steps(rank: &mut Rank<'_>, element: &dyn Fn()) -> Result<u8, Error> {
    let regions = (
        Region::<f64>::blocks("heat", CELLS, 1),
        Region::<f64>::blocks("total", RANKS, 1),
    );
    let mut job = rank.begin(regions, STEPS, |rank, (heat, total)| {
        let first = rank.number() as f64;
        Ok((heat.fill(|i| 1.0 / (1.0 + i as f64)), total.fill(|_| first)))
    })?;
    while job.committed() < STEPS {
        job.step(|rank, (heat, total)| {
            let old = heat.old;
            let mine: f64 = heat.own().iter().sum();
            let sum = rank.sum(mine)?;
            let heat = heat.next.fill(|i| {
                element();
                let (left, right) = (old[(i + CELLS - 1) % CELLS], old[(i + 1) % CELLS]);
                old[i] * 0.5 + (left + right) * 0.25 + sum * 1e-3
            });
            let total = total.edit(|own| own.iter_mut().for_each(|it| *it += sum));
            Ok((heat, total))
        })?;
    }
    Ok(0)
}

fn outcome(block: &Block) -> (Vec<u64>, Vec<u64>) {
    let bits = |name| block.result::<f64>(name).into_iter().map(f64::to_bits);
    (bits("heat").collect(), bits("total").collect())
}

fn undisturbed() -> (Vec<u64>, Vec<u64>) {
    let block = Block::new(RANKS, 1 << 20);
    let never = Deaths {
        accesses: [NEVER; RANKS],
        elements: [NEVER; RANKS],
    };
    assert_eq!(block.run(|rank| program(rank, never)), Some(0));
    outcome(&block)
}

fn deaths() -> impl Strategy<Value = Deaths> {
    let accesses = prop_oneof![1 => Just(NEVER), 3 => 0..400_u64];
    let elements = prop_oneof![2 => Just(NEVER), 1 => 0..(CELLS as u64 / 3 * STEPS)];
    let per_rank = prop::array::uniform3((accesses, elements));
    per_rank.prop_map(|ranks| Deaths {
        accesses: ranks.map(|(accesses, _)| accesses),
        elements: ranks.map(|(_, elements)| elements),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_death_at_any_instant_changes_nothing(lives in prop::collection::vec(deaths(), 1..4)) {
        let block = Block::new(RANKS, 1 << 20);
        let mut entry = SliceEntry::Fresh;
        let mut committed = None;
        for deaths in lives {
            block.enter(entry, |rank| program(rank, deaths));
            entry = SliceEntry::Resume;
            // Nothing that was committed is ever made again.
            prop_assert!(block.committed() >= committed);
            committed = block.committed();
        }
        let never = Deaths { accesses: [NEVER; RANKS], elements: [NEVER; RANKS] };
        let resumed = block.enter(entry, |rank| program(rank, never));
        prop_assert_eq!(resumed, Some(0), "{:?}", block.message());
        prop_assert_eq!(block.control().status.resumed(), committed);
        prop_assert_eq!(outcome(&block), undisturbed());
    }
}
