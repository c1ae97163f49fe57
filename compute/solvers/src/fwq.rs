//! The fixed work quantum: the same work again and again, and how long each took. What disturbs a core shows as quanta
//! that took longer than the shortest.

use core::hint::black_box;

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;

/// Classes of the histogram. Quanta of class `k` took up to 2^k thousandths longer than the shortest so far; those of
/// the last one took longer still.
pub const CLASSES: usize = 12;

/// What a rank has found.
type Found = [u64; 2 + CLASSES];

/// Does a quantum of work: `n` rounds, each of which needs the one before.
pub fn work(n: usize, seed: u64) -> u64 {
    (0..n).fold(seed, |value, _| {
        value
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
    })
}

/// Returns the class of a quantum.
pub fn class(shortest_ns: u64, took_ns: u64) -> usize {
    let thousandths = (took_ns - shortest_ns).saturating_mul(1000) / shortest_ns.max(1);
    let class = (0..CLASSES - 1).find(|class| thousandths < 1 << class);
    class.unwrap_or(CLASSES - 1)
}

/// Does `steps` quanta of `n` rounds on each rank, without a word to another rank within a quantum.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let ranks = rank.ranks();
    let regions = (
        // Shortest and longest in ns, then the classes.
        Region::<Found>::blocks("quanta", ranks, 1).checksum(arguments.checksum),
        Region::<u64>::blocks("value", ranks, 1).checksum(arguments.checksum),
    );
    let mut job = rank.begin(regions, arguments.steps, |_, (quanta, value)| {
        let mut none: Found = [0; 2 + CLASSES];
        none[0] = u64::MAX;
        Ok((quanta.fill(|_| none), value.fill(|i| i as u64)))
    })?;
    let mut last: Found = [0; 2 + CLASSES];
    while job.committed() < arguments.steps {
        job.step(|rank, (quanta, value)| {
            let seed = value.own()[0];
            let begun_ns = rank.now_ns();
            rank.mark();
            // All of it between the marks.
            let worked = black_box(work(arguments.n, black_box(seed)));
            rank.mark();
            let took_ns = rank.now_ns() - begun_ns;
            last = quanta.own()[0];
            last[0] = last[0].min(took_ns);
            last[1] = last[1].max(took_ns);
            last[2 + class(last[0], took_ns)] += 1;
            Ok((quanta.next.fill(|_| last), value.next.fill(|_| worked)))
        })?;
    }
    let [shortest_ns, longest_ns, classes @ ..] = last;
    job.rank().log(format_args!(
        "fwq n={} steps={} shortest_ns={shortest_ns} longest_ns={longest_ns} classes={classes:?}",
        arguments.n, arguments.steps
    ));
    Ok(0)
}
