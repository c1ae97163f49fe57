//! Conjugate gradients on the problem of HPCG: a matrix with 26 on the diagonal and -1 for each of up to 26 neighbours,
//! and a right-hand side whose solution is 1 everywhere. HPCG's multigrid preconditioner is not here.

use alloc::vec::Vec;

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;
use crate::grid::Grid;

/// Residual, relative to the first one, above which the solver has not solved it.
const TOLERANCE: f64 = 1e-6;

/// Returns the scalar product of two parts.
pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// Returns row `index` of the matrix times `values`.
pub fn apply(grid: Grid, values: &[f64], index: usize) -> f64 {
    27.0 * values[index] - grid.sum_27(values, index)
}

/// Returns the right-hand side.
pub fn right_hand_side(grid: Grid, index: usize) -> f64 {
    27.0 - grid.count_27(index) as f64
}

/// Returns the number of entries of the matrix that are not 0.
pub fn entries(n: u64) -> u64 {
    // Each axis has n points with 3 neighbours along it, of which the two ends have one less.
    (3 * n - 2).pow(3)
}

/// Returns the floating-point operations of a step as HPCG counts them: two for each entry of the matrix, and for each
/// element two per scalar product and two per vector update.
pub fn flop_per_step(n: u64) -> u64 {
    2 * entries(n) + (2 * 2 + 3 * 2) * n.pow(3)
}

/// Solves it. `n` is the number of points along an edge of the cube.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let grid = Grid { n: arguments.n };
    let (planes, plane, ranks) = (grid.n, grid.plane(), rank.ranks());
    let regions = (
        Region::<f64>::blocks("x", planes, plane).checksum(arguments.checksum),
        Region::<f64>::blocks("r", planes, plane).checksum(arguments.checksum),
        Region::<f64>::blocks("p", planes, plane).checksum(arguments.checksum),
        // The square of the residual's norm now, and of the first one.
        Region::<[f64; 2]>::blocks("norm", ranks, 1).checksum(arguments.checksum),
    );
    let begun = rank.now_ns();
    let mut job = rank.begin(regions, arguments.steps, |rank, (x, r, p, norm)| {
        let r = r.fill(|i| right_hand_side(grid, i));
        let p = p.copy(&r);
        let first = rank.sum(dot(&r, &r))?;
        Ok((x.fill(|_| 0.0), r, p, norm.fill(|_| [first; 2])))
    })?;
    let mut last = [0.0; 2];
    while job.committed() < arguments.steps {
        job.step(|rank, (x, r, p, norm)| {
            let start = p.next.range().start;
            let q: Vec<f64> = p.next.range().map(|i| apply(grid, p.old, i)).collect();
            let pq = rank.sum(dot(p.own(), &q))?;
            let [before, first] = norm.own()[0];
            // Nothing is left to do once the residual is exactly 0.
            let alpha = if pq > 0.0 { before / pq } else { 0.0 };
            let x = x.next.fill(|i| x.old[i] + alpha * p.old[i]);
            let r = r.next.fill(|i| r.old[i] - alpha * q[i - start]);
            let now = rank.sum(dot(&r, &r))?;
            let beta = if before > 0.0 { now / before } else { 0.0 };
            let p = p.next.fill(|i| r[i - start] + beta * p.old[i]);
            last = [now, first];
            Ok((x, r, p, norm.next.fill(|_| last)))
        })?;
    }
    let residual = match last[1] > 0.0 {
        true => libm::sqrt(last[0] / last[1]),
        false => 0.0,
    };
    let took_ns = job.rank().now_ns() - begun;
    job.rank().log(format_args!(
        "cg n={} steps={} residual={residual:e} flop_per_step={} took_us={}",
        grid.n,
        arguments.steps,
        flop_per_step(grid.n as u64),
        took_ns / 1000,
    ));
    // A computation that was done before has nothing to judge.
    Ok(u8::from(residual > TOLERANCE))
}
