//! What cannot be gets a clear error, on every rank, and nobody waits for ever.

use compute::testing::Block;
use compute::{Error, Rank, Region};
use compute_slice::{SliceEntry, SliceState};

fn once(rank: &mut Rank<'_>, name: &'static str, len: usize) -> Result<u8, Error> {
    let regions = (Region::<f64>::blocks(name, len, 1),);
    let mut job = rank.begin(regions, 1, |_, (x,)| Ok((x.fill(|i| i as f64),)))?;
    if job.committed() < 1 {
        job.step(|_, (x,)| Ok((x.keep(),)))?;
    }
    Ok(0)
}

fn refused(block: &Block, text: &str) {
    assert_eq!(block.control().status.state(), Some(SliceState::Failed));
    let message = block.message().unwrap_or_default();
    assert!(message.contains(text), "{message}");
}

#[test]
fn ranks_that_come_to_different_operations_are_told_so() {
    let block = Block::new(3, 1 << 20);
    let exit = block.run(|rank| match rank.number() {
        2 => rank.sum(1.0).map(|_| 0),
        _ => rank.barrier().map(|()| 0),
    });
    assert_eq!(exit, None);
    refused(&block, "a barrier");
    let exit = block.run(|rank| match rank.number() {
        0 => Ok(0),
        _ => rank.broadcast(0, [1.0]).map(|_| 0),
    });
    assert_eq!(exit, None);
    refused(&block, "the end");
    let exit = block.run(|rank| rank.sums([1.0; 2]).map(|_| 0));
    assert_eq!(exit, Some(0), "and those that agree go on");
}

#[test]
fn ranks_that_begin_with_different_regions_are_told_so() {
    let block = Block::new(2, 1 << 20);
    let exit = block.run(|rank| {
        let len = 8 + rank.number();
        once(rank, "x", len)
    });
    assert_eq!(exit, None);
    refused(&block, "different regions");
}

#[test]
fn a_region_that_outgrows_the_memory_is_named() {
    let block = Block::new(2, 1 << 20);
    for len in [1 << 20, usize::MAX / 2] {
        assert_eq!(block.run(|rank| once(rank, "large", len)), None);
        refused(&block, "region large does not fit");
    }
    assert_eq!(block.run(|rank| once(rank, "small", 8)), Some(0));
}

#[test]
fn memory_of_another_program_is_not_continued() {
    let block = Block::new(2, 1 << 20);
    assert_eq!(block.run(|rank| once(rank, "x", 8)), Some(0));
    for (name, len) in [("y", 8), ("x", 9)] {
        let exit = block.enter(SliceEntry::Resume, |rank| once(rank, name, len));
        assert_eq!(exit, None);
        refused(&block, "other regions");
    }
    let exit = block.enter(SliceEntry::Resume, |rank| once(rank, "x", 8));
    assert_eq!(exit, Some(0), "nothing was lost by trying");
}

#[test]
fn memory_that_has_changed_since_its_commit_is_not_continued() {
    let block = Block::new(2, 1 << 20);
    assert_eq!(block.run(|rank| once(rank, "x", 8)), Some(0));
    block.damage("x", 17);
    let exit = block.enter(SliceEntry::Resume, |rank| once(rank, "x", 8));
    assert_eq!(exit, None);
    refused(
        &block,
        "step 1 was committed, and its memory has changed since",
    );
}

#[test]
fn reductions_are_the_same_on_all_ranks_and_in_every_run() {
    let value = |rank: usize| 0.1 + 1e16 * (rank % 2) as f64;
    let expected = (1..5).map(value).fold(value(0), |sum, it| sum + it);
    let block = Block::new(5, 1 << 20);
    for _ in 0..50 {
        let exit = block.run(|rank| {
            let sum = rank.sum(value(rank.number()))?;
            let max = rank.max(rank.number() as f64)?;
            let [last] = rank.broadcast(4, [rank.number() as f64])?;
            assert_eq!((sum.to_bits(), max, last), (expected.to_bits(), 4.0, 4.0));
            Ok(0)
        });
        assert_eq!(exit, Some(0));
    }
}

#[test]
fn the_highest_exit_code_is_that_of_the_computation() {
    let block = Block::new(3, 1 << 20);
    assert_eq!(block.run(|rank| Ok(rank.number() as u8)), Some(2));
}

#[test]
fn messages_come_in_the_order_in_which_they_were_sent() {
    let block = Block::new(3, 1 << 20);
    let exit = block.run(|rank| {
        let (next, before) = ((rank.number() + 1) % 3, (rank.number() + 2) % 3);
        for round in 0..100 {
            rank.send(next, [rank.number() as f64, f64::from(round)])?;
            let got = rank.receive(before)?;
            assert_eq!(got, [before as f64, f64::from(round)]);
        }
        Ok(0)
    });
    assert_eq!(exit, Some(0), "{:?}", block.message());
}

#[test]
fn a_message_that_cannot_arrive_is_refused() {
    let block = Block::new(2, 1 << 20);
    for to in [2, usize::MAX] {
        assert_eq!(block.run(|rank| rank.send(to, [1.0]).map(|()| 0)), None);
        refused(&block, "another rank");
    }
    let exit = block.run(|rank| match rank.number() {
        0 => rank.send(1, [1.0]).map(|()| 0),
        _ => rank.receive::<2>(0).map(|_| 0),
    });
    assert_eq!(exit, None);
    refused(&block, "another number of values");
    let exit = block.run(|rank| {
        let regions = (Region::<f64>::blocks("x", 8, 1),);
        let mut job = rank.begin(regions, 1, |_, (x,)| Ok((x.fill(|_| 0.0),)))?;
        job.step(|rank, (x,)| {
            if rank.number() == 0 {
                rank.send(1, [1.0])?;
            }
            Ok((x.keep(),))
        })?;
        Ok(0)
    });
    assert_eq!(exit, None);
    refused(&block, "nobody has received");
}
