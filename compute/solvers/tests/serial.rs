//! Every solver against a serial version of the same, on any number of ranks, and over its own death.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use compute::testing::Block;
use compute_slice::SliceEntry;
use sharedmem::sync::{Observer, observe};
use solvers::grid::Grid;
use solvers::lj::{self, Vector};
use solvers::multigrid::{Box3, Multigrid};
use solvers::{cg, heat, stream};

fn solved(ranks: usize, arguments: &str) -> Block {
    let block = Block::new(ranks, 16 << 20);
    let exit = block.run(|rank| solvers::run(rank, arguments));
    assert_eq!(exit, Some(0), "{:?}", block.message());
    block
}

/// Solves by conjugate gradients as in a textbook, in place.
fn serial_cg(grid: Grid, steps: usize) -> (Vec<f64>, f64) {
    let count = grid.n * grid.plane();
    let mut x = vec![0.0; count];
    let mut r: Vec<f64> = (0..count).map(|i| cg::right_hand_side(grid, i)).collect();
    let mut p = r.clone();
    let first = cg::dot(&r, &r);
    let mut norm = first;
    for _ in 0..steps {
        let q: Vec<f64> = (0..count).map(|i| cg::apply(grid, &p, i)).collect();
        let alpha = norm / cg::dot(&p, &q);
        for i in 0..count {
            x[i] += alpha * p[i];
            r[i] -= alpha * q[i];
        }
        let now = cg::dot(&r, &r);
        let beta = now / norm;
        for i in 0..count {
            p[i] = r[i] + beta * p[i];
        }
        norm = now;
    }
    (x, (norm / first).sqrt())
}

#[test]
fn conjugate_gradients_are_those_of_a_serial_version() {
    let grid = Grid { n: 10 };
    let (serial, residual) = serial_cg(grid, 20);
    assert!(residual < 1e-6);
    for ranks in [1, 3, 10, 12] {
        let x = solved(ranks, "cg n=10 steps=20").result::<f64>("x");
        for (found, expected) in x.iter().zip(&serial) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{ranks} ranks: {found}, {expected}"
            );
        }
        assert!(
            ranks > 1 || x == serial,
            "one rank makes the same operations"
        );
    }
}

/// Makes HPCG's symmetry check, x'Ay = y'Ax, and compares its problem: the solution of A x = b is 1 everywhere.
#[test]
fn the_matrix_is_that_of_hpcg() {
    let grid = Grid { n: 6 };
    let count = 216;
    let x: Vec<f64> = (0..count).map(|i| (i as f64).sin()).collect();
    let y: Vec<f64> = (0..count).map(|i| (i as f64).sqrt()).collect();
    let times = |v: &[f64]| -> Vec<f64> { (0..count).map(|i| cg::apply(grid, v, i)).collect() };
    let (left, right) = (cg::dot(&x, &times(&y)), cg::dot(&y, &times(&x)));
    assert!((left - right).abs() < 1e-10 * left.abs().max(1.0));
    let ones = vec![1.0; count];
    let b: Vec<f64> = (0..count).map(|i| cg::right_hand_side(grid, i)).collect();
    assert_eq!(times(&ones), b);
    let mut unit = vec![0.0; count];
    unit[43] = 1.0;
    let row: Vec<f64> = times(&unit);
    let entries = row.iter().filter(|it| **it != 0.0).count();
    assert_eq!((row[43], entries), (26.0, 27));
    let total: usize = (0..count).map(|i| grid.count_27(i)).sum();
    assert_eq!(cg::entries(6), total as u64);
    assert_eq!(cg::flop_per_step(6), 2 * total as u64 + 10 * 216);
}

#[test]
fn heat_is_that_of_a_serial_version_bit_by_bit() {
    let grid = Grid { n: 9 };
    let mut old: Vec<f64> = (0..729).map(|i| heat::initial(grid, i)).collect();
    for _ in 0..30 {
        old = (0..729).map(|i| heat::next(grid, &old, i)).collect();
    }
    for ranks in [1, 2, 5] {
        let found = solved(ranks, "heat n=9 steps=30").result::<f64>("temperature");
        assert_eq!(found, old, "{ranks} ranks");
    }
}

/// Solves by preconditioned conjugate gradients as in a textbook, in place.
fn serial_hpcg(grid: Grid, steps: usize) -> Vec<f64> {
    let count = grid.n * grid.plane();
    let mut multigrid = Multigrid::new(Box3::new([grid.n; 3]));
    let mut x = vec![0.0; count];
    let mut r: Vec<f64> = (0..count).map(|i| cg::right_hand_side(grid, i)).collect();
    let mut z = vec![0.0; count];
    multigrid.apply(&r, &mut z);
    let mut p = z.clone();
    let mut rz = cg::dot(&r, &z);
    for _ in 0..steps {
        let q: Vec<f64> = (0..count).map(|i| cg::apply(grid, &p, i)).collect();
        let alpha = rz / cg::dot(&p, &q);
        for i in 0..count {
            x[i] += alpha * p[i];
            r[i] -= alpha * q[i];
        }
        multigrid.apply(&r, &mut z);
        let now = cg::dot(&r, &z);
        for i in 0..count {
            p[i] = z[i] + now / rz * p[i];
        }
        rz = now;
    }
    x
}

/// Needs fewer iterations than plain conjugate gradients, as HPCG wants of its preconditioner.
#[test]
fn preconditioned_gradients_are_those_of_a_serial_version_and_need_fewer_steps() {
    let grid = Grid { n: 16 };
    let x = solved(1, "hpcg n=16 steps=12").result::<f64>("x");
    assert!(
        x == serial_hpcg(grid, 12),
        "one rank makes the same operations"
    );
    for ranks in [2, 3, 4] {
        let x = solved(ranks, "hpcg n=16 steps=24").result::<f64>("x");
        assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-6), "{ranks} ranks");
    }
    let plain = Block::new(1, 16 << 20).run(|rank| solvers::run(rank, "cg n=16 steps=12"));
    assert_eq!(
        plain,
        Some(1),
        "the residual of as many plain steps is too large"
    );
}

#[test]
fn particles_are_those_of_a_serial_version_bit_by_bit() {
    let cell = lj::Cell { edge: 4 };
    let mut positions: Vec<Vector> = (0..64).map(|i| cell.position(i)).collect();
    let mut velocities = vec![[0.0; 3]; 64];
    for _ in 0..20 {
        let next: Vec<(Vector, Vector)> = (0..64)
            .map(|i| cell.next(&positions, velocities[i], i))
            .collect();
        (positions, velocities) = next.into_iter().unzip();
    }
    for ranks in [1, 3] {
        let block = solved(ranks, "lj n=4 steps=20");
        assert_eq!(block.result::<Vector>("positions"), positions);
        assert_eq!(block.result::<Vector>("velocities"), velocities);
    }
}

#[test]
fn stream_computes_what_it_must() {
    assert_eq!(stream::next([1.0, 2.0, 0.0]), [15.0, 3.0, 4.0]);
    let block = solved(2, "stream n=1000 steps=3");
    let mut text = [0; 200];
    let (_, length) = block.control().log.copy_from(0, &mut text);
    let line = std::str::from_utf8(&text[..length]).unwrap();
    assert!(line.starts_with("stream n=1000 ranks=2 copy="), "{line}");
}

/// Dies after a number of accesses to the words that ranks share.
struct Doom(Cell<u64>);

impl Doom {
    fn count(&self) {
        let left = self.0.get();
        self.0.set(left.wrapping_sub(1));
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

#[test]
fn a_solver_that_dies_again_and_again_ends_as_one_that_did_not() {
    for (arguments, region) in [
        ("cg n=8 steps=20", "x"),
        ("hpcg n=8 steps=12", "x"),
        ("heat n=8 steps=20", "temperature"),
        ("fwq n=10 steps=20", "value"),
        ("sweep n=1 steps=3", "data"),
    ] {
        let undisturbed = solved(3, arguments).result::<f64>(region);
        let block = Block::new(3, 16 << 20);
        let (mut entry, mut lives) = (SliceEntry::Fresh, 0);
        // Each life is a little longer, so that one comes to the end.
        while block.enter(entry, |rank| {
            observe(Some(Rc::new(Doom(Cell::new(150 + 40 * lives)))));
            solvers::run(rank, arguments)
        }) != Some(0)
        {
            (entry, lives) = (SliceEntry::Resume, lives + 1);
            assert!(lives < 1000, "{:?}", block.message());
        }
        assert!(lives > 0);
        assert_eq!(block.result::<f64>(region), undisturbed);
    }
}
