//! STREAM's four kernels, each rank on arrays of its own: copy, scale, add, triad. A step is all four, and the values
//! are checked as STREAM checks them: every element is the same, so one scalar run says what it must be.

use alloc::vec;

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;

const SCALAR: f64 = 3.0;

/// Bytes that each kernel moves per element.
const BYTES: [u64; 4] = [16, 16, 24, 24];

/// Returns what the elements of the three arrays are after a step.
pub fn next([a, _, _]: [f64; 3]) -> [f64; 3] {
    let c = a;
    let b = SCALAR * c;
    let c = a + b;
    [b + SCALAR * c, b, c]
}

/// Runs the kernels. `n` is the number of elements of each of a rank's arrays.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let (n, ranks) = (arguments.n, rank.ranks());
    // What the elements are, and the best time of each kernel in ns.
    let regions = (
        Region::<[f64; 3]>::blocks("values", ranks, 1).checksum(arguments.checksum),
        Region::<[u64; 4]>::blocks("best_ns", ranks, 1).checksum(arguments.checksum),
    );
    let mut job = rank.begin(regions, arguments.steps, |_, (values, best)| {
        Ok((
            values.fill(|_| [1.0, 2.0, 0.0]),
            best.fill(|_| [u64::MAX; 4]),
        ))
    })?;
    let (mut a, mut b, mut c) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut is_right = true;
    let mut fastest = [u64::MAX; 4];
    while job.committed() < arguments.steps {
        job.step(|rank, (values, best)| {
            let before = values.own()[0];
            a.fill(before[0]);
            let mut times = [rank.now_ns(); 5];
            c.copy_from_slice(&a);
            times[1] = rank.now_ns();
            b.iter_mut().zip(&c).for_each(|(b, c)| *b = SCALAR * c);
            times[2] = rank.now_ns();
            let sums = c.iter_mut().zip(&a).zip(&b);
            sums.for_each(|((c, a), b)| *c = a + b);
            times[3] = rank.now_ns();
            let triads = a.iter_mut().zip(&b).zip(&c);
            triads.for_each(|((a, b), c)| *a = b + SCALAR * c);
            times[4] = rank.now_ns();
            let after = next(before);
            let arrays = [(&a, after[0]), (&b, after[1]), (&c, after[2])];
            is_right &= arrays
                .iter()
                .all(|(array, value)| array.iter().all(|it| it == value));
            fastest = core::array::from_fn(|kernel| {
                best.own()[0][kernel].min((times[kernel + 1] - times[kernel]).max(1))
            });
            // Kept in bounds, as the values grow fifteenfold in each step.
            let scaled = after.map(|value| value / 15.0);
            Ok((values.next.fill(|_| scaled), best.next.fill(|_| fastest)))
        })?;
    }
    let bytes = (n * ranks) as u64;
    let mb_per_s: [u64; 4] = core::array::from_fn(|kernel| {
        (bytes * BYTES[kernel]).saturating_mul(1000) / fastest[kernel]
    });
    let [copy, scale, add, triad] = mb_per_s;
    job.rank().log(format_args!(
        "stream n={n} ranks={ranks} copy={copy} scale={scale} add={add} triad={triad} MB/s"
    ));
    Ok(u8::from(!is_right))
}
