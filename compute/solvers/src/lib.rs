//! Computations that people know, as programs of the crate `compute`. Each step function is short, and each is checked
//! against a serial version of the same.
//!
//! | solver | what it computes | arguments |
//! |---|---|---|
//! | [`cg`] | conjugate gradients on HPCG's 27-point stencil, without its preconditioner | `n`, `steps` |
//! | [`hpcg`] | the same with HPCG's multigrid preconditioner | `n`, `steps` |
//! | [`heat`] | the heat equation by a 7-point stencil | `n`, `steps` |
//! | [`stream`] | STREAM's four kernels | `n`, `steps` |
//! | [`fwq`] | a fixed quantum of work again and again, and how long each took | `n`, `steps` |
//! | [`sweep`] | the least that a step can do with data of any size | `n` in MiB, `steps` |
//! | [`lj`] | Lennard-Jones particles in a periodic box | `n`, `steps` |
//!
//! ```
//! use compute::testing::Block;
//!
//! let block = Block::new(2, 8 << 20);
//! assert_eq!(block.run(|rank| solvers::run(rank, "cg n=8 steps=20")), Some(0));
//! assert!(block.result::<f64>("x").iter().all(|x| (x - 1.0).abs() < 1e-9));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arguments;
pub mod cg;
pub mod fwq;
pub mod grid;
pub mod heat;
pub mod hpcg;
pub mod lj;
pub mod multigrid;
pub mod stream;
pub mod sweep;

use compute::{Error, Rank};

pub use arguments::Arguments;

/// A solver, by its name.
pub type Solver = fn(&mut Rank<'_>, &Arguments) -> Result<u8, Error>;

/// All solvers.
pub const SOLVERS: [(&str, Solver); 7] = [
    ("cg", cg::run),
    ("hpcg", hpcg::run),
    ("heat", heat::run),
    ("stream", stream::run),
    ("lj", lj::run),
    ("fwq", fwq::run),
    ("sweep", sweep::run),
];

/// Runs the solver that the first word of `text` names, with the arguments behind it, as in `cg n=32 steps=50`.
///
/// # Errors
/// There is no such solver or argument, or the solver cannot go on.
pub fn run(rank: &mut Rank<'_>, text: &str) -> Result<u8, Error> {
    let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let known = SOLVERS.iter().find(|(known, _)| *known == name);
    let Some((_, solver)) = known else {
        return Err(Error::Program(
            "no such solver: there are cg, hpcg, heat, stream, lj, fwq and sweep",
        ));
    };
    solver(rank, &Arguments::parse(rest)?)
}
