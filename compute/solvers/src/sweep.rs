//! The least that a step can do with data of any size: it adds 1 to every element. What a death and a commit cost is
//! seen best beside it.

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;

/// Elements of a MiB.
const MIB: usize = (1 << 20) / size_of::<f64>();

/// Sweeps over `n` MiB.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let data = Region::<f64>::blocks("data", arguments.n, MIB).checksum(arguments.checksum);
    let mut job = rank.begin((data,), arguments.steps, |_, (data,)| {
        Ok((data.fill(|_| 0.0),))
    })?;
    let mut is_right = true;
    while job.committed() < arguments.steps {
        let expected = job.committed() as f64;
        job.step(|_, (data,)| {
            is_right &= data.own().first().is_none_or(|it| *it == expected);
            Ok((data.next.fill(|i| data.old[i] + 1.0),))
        })?;
    }
    let done = job.committed();
    job.rank()
        .log(format_args!("sweep n={} steps={done}", arguments.n));
    Ok(u8::from(!is_right))
}
