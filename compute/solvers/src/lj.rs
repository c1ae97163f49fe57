//! Lennard-Jones particles in a periodic box, by leapfrog steps over all pairs, in reduced units.

use compute::{Error, Rank, Region};

use crate::arguments::Arguments;

/// Distance of neighbours at the beginning.
const SPACING: f64 = 1.2;

/// Length of a step.
const STEP: f64 = 0.001;

/// A vector.
pub type Vector = [f64; 3];

/// The box.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Particles along an edge at the beginning.
    pub edge: usize,
}

impl Cell {
    /// Returns the length of an edge.
    pub fn length(&self) -> f64 {
        self.edge as f64 * SPACING
    }

    /// Returns where a particle begins, on a lattice, a little displaced.
    pub fn position(&self, index: usize) -> Vector {
        let n = self.edge;
        let at = [index % n, index / n % n, index / n / n];
        core::array::from_fn(|axis| {
            SPACING * at[axis] as f64 + 0.05 * libm::sin((3 * index + axis) as f64)
        })
    }

    /// Returns the force on a particle, the nearest image of each other one counted.
    pub fn force(&self, positions: &[Vector], index: usize) -> Vector {
        let mut force = [0.0; 3];
        let length = self.length();
        for (other, position) in positions.iter().enumerate() {
            if other == index {
                continue;
            }
            let between: Vector = core::array::from_fn(|axis| {
                let plain = positions[index][axis] - position[axis];
                plain - length * libm::round(plain / length)
            });
            let squared: f64 = between.iter().map(|it| it * it).sum();
            let inverse = 1.0 / (squared * squared * squared);
            let factor = 24.0 * inverse * (2.0 * inverse - 1.0) / squared;
            for axis in 0..3 {
                force[axis] += factor * between[axis];
            }
        }
        force
    }

    /// Returns position and velocity of a particle one step later.
    pub fn next(&self, positions: &[Vector], velocity: Vector, index: usize) -> (Vector, Vector) {
        let force = self.force(positions, index);
        let velocity: Vector = core::array::from_fn(|axis| velocity[axis] + STEP * force[axis]);
        let moved = core::array::from_fn(|axis| positions[index][axis] + STEP * velocity[axis]);
        (moved, velocity)
    }
}

/// Moves the particles. `n` is their number along an edge of the box.
///
/// # Errors
/// See [`Error`].
pub fn run(rank: &mut Rank<'_>, arguments: &Arguments) -> Result<u8, Error> {
    let cell = Cell { edge: arguments.n };
    let (planes, plane) = (cell.edge, cell.edge.saturating_mul(cell.edge));
    let regions = (
        Region::<Vector>::blocks("positions", planes, plane).checksum(arguments.checksum),
        Region::<Vector>::blocks("velocities", planes, plane).checksum(arguments.checksum),
    );
    let mut job = rank.begin(regions, arguments.steps, |_, (positions, velocities)| {
        let positions = positions.fill(|i| cell.position(i));
        Ok((positions, velocities.fill(|_| [0.0; 3])))
    })?;
    let mut momentum = [0.0; 3];
    while job.committed() < arguments.steps {
        job.step(|rank, (positions, velocities)| {
            let old = positions.old;
            let velocities = velocities.next.fill(|i| {
                rank.beat();
                cell.next(old, velocities.old[i], i).1
            });
            let start = positions.next.range().start;
            let positions = positions.next.fill(|i| {
                core::array::from_fn(|axis| old[i][axis] + STEP * velocities[i - start][axis])
            });
            let own = |axis: usize| velocities.iter().map(|it| it[axis]).sum();
            momentum = rank.sums([own(0), own(1), own(2)])?;
            Ok((positions, velocities))
        })?;
    }
    let [x, y, z] = momentum;
    job.rank().log(format_args!(
        "lj n={} momentum={x:e},{y:e},{z:e}",
        cell.edge
    ));
    // Forces come in pairs, so the momentum stays 0 but for rounding.
    let is_kept = momentum.iter().all(|it| libm::fabs(*it) < 1e-6);
    Ok(u8::from(!is_kept))
}
