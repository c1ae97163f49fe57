//! HPCG's preconditioner: one V-cycle over up to four grids, each half as fine as the one before, smoothed by symmetric
//! Gauss-Seidel sweeps.
//!
//! It is that of the points a rank has: what lies beyond them counts as 0. On one rank it is the benchmark's own, on
//! several it is a block of that for each, so the number of iterations depends a little on the number of ranks.

use alloc::vec;
use alloc::vec::Vec;

/// The diagonal of the matrix. Each of up to 26 neighbours counts -1.
const DIAGONAL: f64 = 26.0;

/// Grids of a cycle, at most.
const LEVELS_MAX: usize = 4;

/// A block of points: a number of them along x, y and z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Box3([usize; 3]);

impl Box3 {
    /// Returns a block with these numbers of points.
    pub fn new(points: [usize; 3]) -> Self {
        Self(points)
    }

    /// Returns how many points it has.
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// Returns whether it has no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many entries of its matrix are not 0.
    pub fn entries(&self) -> usize {
        // Along an edge of n points, n have themselves as a neighbour, and n - 1 each of the others.
        self.0.iter().map(|n| (3 * n).saturating_sub(2)).product()
    }

    /// Returns the grid with every other point along each edge, if that comes out even.
    fn coarser(&self) -> Option<Self> {
        let can = self.0.iter().all(|n| *n > 0 && n % 2 == 0);
        can.then(|| Self(self.0.map(|n| n / 2)))
    }

    /// Returns the point of this grid on which a point of the coarser one lies.
    fn of_coarser(&self, coarse: &Self, index: usize) -> usize {
        let [cx, cy, _] = coarse.0;
        let [x, y, z] = [index % cx, index / cx % cy, index / cx / cy];
        (2 * z * self.0[1] + 2 * y) * self.0[0] + 2 * x
    }

    /// Returns the sum of `values` over a point and its neighbours in the block.
    fn sum_27(&self, values: &[f64], [x, y, z]: [usize; 3]) -> f64 {
        let [nx, ny, nz] = self.0;
        let around = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
        let row = around(x, nx);
        let mut sum = 0.0;
        for z in around(z, nz) {
            for y in around(y, ny) {
                let start = (z * ny + y) * nx;
                for value in &values[start + row.start..start + row.end] {
                    sum += value;
                }
            }
        }
        sum
    }

    /// Returns row `index` of the matrix times `values`.
    pub fn apply(&self, values: &[f64], index: usize) -> f64 {
        let [nx, ny, _] = self.0;
        let at = [index % nx, index / nx % ny, index / nx / ny];
        (DIAGONAL + 1.0) * values[index] - self.sum_27(values, at)
    }

    /// Makes a symmetric Gauss-Seidel sweep towards `A x = right`: through all points, and back.
    pub fn smooth(&self, right: &[f64], x: &mut [f64]) {
        let relax = |x: &mut [f64], index: usize| {
            // What the row has beside the diagonal, moved to the right-hand side.
            let rest = right[index] - self.apply(x, index) + DIAGONAL * x[index];
            x[index] = rest / DIAGONAL;
        };
        for index in 0..self.len() {
            relax(x, index);
        }
        for index in (0..self.len()).rev() {
            relax(x, index);
        }
    }
}

/// A grid of the cycle, and what it is worked out in.
#[derive(Debug)]
struct Level {
    grid: Box3,
    right: Vec<f64>,
    x: Vec<f64>,
}

/// The preconditioner of a block of points.
#[derive(Debug)]
pub struct Multigrid {
    finest: Box3,
    /// The coarser grids.
    levels: Vec<Level>,
}

impl Multigrid {
    /// Makes the preconditioner of a block, as deep as its numbers of points allow.
    pub fn new(finest: Box3) -> Self {
        let mut levels: Vec<Level> = Vec::new();
        let mut grid = finest;
        while levels.len() + 1 < LEVELS_MAX
            && let Some(coarser) = grid.coarser()
        {
            grid = coarser;
            levels.push(Level {
                grid,
                right: vec![0.0; grid.len()],
                x: vec![0.0; grid.len()],
            });
        }
        Self { finest, levels }
    }

    /// Returns how many grids there are.
    pub fn depth(&self) -> usize {
        1 + self.levels.len()
    }

    /// Writes into `z` what the preconditioner makes of `right`.
    pub fn apply(&mut self, right: &[f64], z: &mut [f64]) {
        z.fill(0.0);
        cycle(self.finest, right, z, &mut self.levels);
    }

    /// Returns the floating-point operations of one application, as HPCG counts them: four for each entry that is not 0
    /// in a sweep there and back, two for each in a residual.
    pub fn flop(&self) -> u64 {
        let grids = || {
            [self.finest]
                .into_iter()
                .chain(self.levels.iter().map(|it| it.grid))
        };
        let last = self.levels.len();
        let of = |(level, grid): (usize, Box3)| {
            let per_entry = if level < last { 4 + 2 + 4 } else { 4 };
            per_entry * grid.entries() as u64
        };
        grids().enumerate().map(of).sum()
    }
}

/// Goes down to the coarsest grid and back.
fn cycle(grid: Box3, right: &[f64], x: &mut [f64], coarser: &mut [Level]) {
    grid.smooth(right, x);
    let Some((level, rest)) = coarser.split_first_mut() else {
        return;
    };
    for index in 0..level.grid.len() {
        let fine = grid.of_coarser(&level.grid, index);
        level.right[index] = right[fine] - grid.apply(x, fine);
    }
    level.x.fill(0.0);
    cycle(level.grid, &level.right, &mut level.x, rest);
    for (index, correction) in level.x.iter().enumerate() {
        x[grid.of_coarser(&level.grid, index)] += correction;
    }
    grid.smooth(right, x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cg::dot;

    /// Makes numbers that look random.
    fn some(count: usize, seed: u64) -> Vec<f64> {
        let number = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64;
        (0..count as u64)
            .map(|i| number(i + seed) / 1e7 - 0.5)
            .collect()
    }

    /// Makes HPCG's check: x'My = y'Mx.
    #[test]
    fn it_is_symmetric() {
        for points in [[16, 16, 16], [8, 8, 4], [7, 6, 5]] {
            let block = Box3::new(points);
            let mut multigrid = Multigrid::new(block);
            let (x, y) = (some(block.len(), 1), some(block.len(), 77));
            let (mut mx, mut my) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            multigrid.apply(&x, &mut mx);
            multigrid.apply(&y, &mut my);
            let (left, right) = (dot(&x, &my), dot(&y, &mx));
            assert!((left - right).abs() < 1e-12 * dot(&x, &x), "{left} {right}");
            assert!(dot(&x, &mx) > 0.0, "it is positive");
        }
    }

    #[test]
    fn it_is_as_deep_as_in_the_benchmark_if_the_numbers_of_points_allow() {
        let depth = |points| Multigrid::new(Box3::new(points)).depth();
        assert_eq!(
            [depth([16; 3]), depth([8, 8, 4]), depth([6, 6, 3])],
            [4, 3, 1]
        );
    }

    #[test]
    fn operations_are_counted_as_in_the_benchmark() {
        let entries = |n: u64| (3 * n - 2).pow(3);
        let multigrid = Multigrid::new(Box3::new([16; 3]));
        let expected = 10 * (entries(16) + entries(8) + entries(4)) + 4 * entries(2);
        assert_eq!(multigrid.flop(), expected);
    }
}
