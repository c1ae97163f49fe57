//! The heat equation in a cube whose faces are kept at 0, by explicit Euler steps on a 7-point stencil.

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;
use crate::grid::Grid;

/// Conductivity times length of a step over the square of the distance of points. Up to 1/6 it is stable.
const RATE: f64 = 0.125;

/// Returns the temperature at the beginning: warmer towards the last corner.
pub fn initial(grid: Grid, index: usize) -> f64 {
    let [x, y, z] = grid.place(index);
    (x + 2 * y + 3 * z) as f64 / grid.n as f64
}

/// Returns the temperature of a point one step later.
pub fn next(grid: Grid, old: &[f64], index: usize) -> f64 {
    old[index] + RATE * (grid.sum_6(old, index) - 6.0 * old[index])
}

/// Lets the heat flow. `n` is the number of points along an edge of the cube.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let grid = Grid { n: arguments.n };
    let regions =
        (Region::<f64>::blocks("temperature", grid.n, grid.plane()).checksum(arguments.checksum),);
    let mut job = rank.begin(regions, arguments.steps, |_, (it,)| {
        Ok((it.fill(|i| initial(grid, i)),))
    })?;
    while job.committed() < arguments.steps {
        job.step(|_, (it,)| Ok((it.next.fill(|i| next(grid, it.old, i)),)))?;
    }
    let ended_ns = job.rank().now_ns();
    job.rank().log(format_args!(
        "heat n={} steps={} ended_ns={ended_ns}",
        grid.n, arguments.steps
    ));
    Ok(0)
}
