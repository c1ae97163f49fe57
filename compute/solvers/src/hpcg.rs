//! HPCG: conjugate gradients on its 27-point stencil with its multigrid preconditioner.

use alloc::vec;
use alloc::vec::Vec;

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;
use crate::cg::{apply, dot, entries, right_hand_side};
use crate::grid::Grid;
use crate::multigrid::{Box3, Multigrid};

/// Residual, relative to the first one, above which the solver has not solved it.
const TOLERANCE: f64 = 1e-6;

/// Solves it. `n` is the number of points along an edge of the cube.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let grid = Grid { n: arguments.n };
    let (planes, plane, ranks) = (grid.n, grid.plane(), rank.ranks());
    let region = |name| Region::<f64>::blocks(name, planes, plane).checksum(arguments.checksum);
    let (x, r, p) = (region("x"), region("r"), region("p"));
    // r'z and the square of the residual's norm now, and the latter at first.
    let norms = Region::<[f64; 3]>::blocks("norms", ranks, 1).checksum(arguments.checksum);
    let own = x.part_of(rank.number(), ranks);
    let mut multigrid = Multigrid::new(Box3::new([grid.n, grid.n, own.len() / plane]));
    let mut z = vec![0.0; own.len()];
    let begun_ns = rank.now_ns();
    let mut job = rank.begin(
        (x, r, p, norms),
        arguments.steps,
        |rank, (x, r, p, norms)| {
            let r = r.fill(|i| right_hand_side(grid, i));
            multigrid.apply(&r, &mut z);
            let [rz, first] = rank.sums([dot(&r, &z), dot(&r, &r)])?;
            let norms = norms.fill(|_| [rz, first, first]);
            Ok((x.fill(|_| 0.0), r, p.copy(&z), norms))
        },
    )?;
    let mut last = [0.0; 3];
    while job.committed() < arguments.steps {
        job.step(|rank, (x, r, p, norms)| {
            let start = own.start;
            let q: Vec<f64> = own.clone().map(|i| apply(grid, p.old, i)).collect();
            let pq = rank.sum(dot(p.own(), &q))?;
            let [before, _, first] = norms.own()[0];
            // Nothing is left to do once the residual is exactly 0.
            let alpha = if pq > 0.0 { before / pq } else { 0.0 };
            let x = x.next.fill(|i| x.old[i] + alpha * p.old[i]);
            let r = r.next.fill(|i| r.old[i] - alpha * q[i - start]);
            rank.beat();
            multigrid.apply(&r, &mut z);
            let [rz, norm] = rank.sums([dot(&r, &z), dot(&r, &r)])?;
            let beta = if before > 0.0 { rz / before } else { 0.0 };
            let p = p.next.fill(|i| z[i - start] + beta * p.old[i]);
            last = [rz, norm, first];
            Ok((x, r, p, norms.next.fill(|_| last)))
        })?;
    }
    let [_, norm, first] = last;
    let residual = if first > 0.0 {
        libm::sqrt(norm / first)
    } else {
        0.0
    };
    let took_us = (job.rank().now_ns() - begun_ns) / 1000;
    let count = grid.n.pow(3) as u64;
    // The matrix times p, three scalar products, three updates of vectors, and the preconditioner of each rank.
    let plain = 2 * entries(grid.n as u64) + (3 * 2 + 3 * 2) * count;
    let flop = plain + multigrid.flop() * ranks as u64;
    job.rank().log(format_args!(
        "hpcg n={} steps={} residual={residual:e} flop_per_step={flop} took_us={took_us}",
        grid.n, arguments.steps,
    ));
    // A computation that was done before has nothing to judge.
    Ok(u8::from(residual > TOLERANCE))
}
