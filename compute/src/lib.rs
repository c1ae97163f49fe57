//! Computations that survive their own death.
//!
//! A computation runs on *ranks*, one per core, all of which run the same program (SPMD) on one block of memory. Its
//! state is in *regions*. A *step* reads the state as all ranks have committed it, and writes the next one; then all
//! ranks *commit*. A computation that dies, at whatever instant, is entered again on the same memory and continues
//! behind the last committed step. The result is the same, bit by bit, as without the death.
//!
//! - **A commit has no half.** Each region has two buffers. A step reads one, which nobody writes meanwhile, and writes
//!   the other. Committing is one store per rank, made when all ranks have written everything.
//! - **The compiler sees to it that everything is written.** The body of a step is given a [`Next`] for each region,
//!   and must return a [`Written`] for each. The only way from one to the other writes the rank's whole part.
//! - **Ranks cannot race.** What is shared is read-only, and what is written is the rank's own.
//! - **The order of every sum is fixed**, so a result depends on the number of ranks and on nothing else.
//! - **Ranks that disagree are told so.** Every rank compares what the others came to do; see [`Error::Disagreement`].
//!
//! # Example
//!
//! A value that every step doubles, on one rank:
//!
//! ```
//! use compute::{Error, Rank, Region, testing};
//!
//! fn program(rank: &mut Rank<'_>) -> Result<u8, Error> {
//!     let regions = (Region::<f64>::blocks("x", 8, 1),);
//!     let mut job = rank.begin(regions, 5, |_, (x,)| Ok((x.fill(|i| i as f64),)))?;
//!     while job.committed() < 5 {
//!         job.step(|_, (x,)| Ok((x.next.fill(|i| 2.0 * x.old[i]),)))?;
//!     }
//!     Ok(0)
//! }
//!
//! let block = testing::Block::new(1, 1 << 20);
//! assert_eq!(block.run(program), Some(0));
//! assert_eq!(block.result::<f64>("x")[3], 96.0);
//! ```
//!
//! A step that forgets a region does not compile:
//!
//! ```compile_fail
//! # use compute::{Error, Rank, Region};
//! fn program(rank: &mut Rank<'_>) -> Result<u8, Error> {
//!     let regions = (Region::<f64>::blocks("x", 8, 1), Region::<f64>::blocks("y", 8, 1));
//!     let mut job = rank.begin(regions, 5, |_, (x, y)| Ok((x.fill(|_| 0.0), y.fill(|_| 0.0))))?;
//!     job.step(|_, (x, y)| Ok((x.next.fill(|i| y.old[i]),)))?;
//!     Ok(0)
//! }
//! ```
//!
//! Nor does one that keeps what it writes for later, when others read it:
//!
//! ```compile_fail
//! # use compute::{Error, Rank, Region};
//! fn program(rank: &mut Rank<'_>) -> Result<u8, Error> {
//!     let regions = (Region::<f64>::blocks("x", 8, 1),);
//!     let mut job = rank.begin(regions, 5, |_, (x,)| Ok((x.fill(|_| 0.0),)))?;
//!     let mut kept = None;
//!     job.step(|_, (x,)| { kept = Some(x.next); loop {} })?;
//!     Ok(0)
//! }
//! ```
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "testing")]
extern crate std;

mod byte_regions;
mod collective;
mod directory;
mod error;
mod job;
mod memory;
mod message;
mod part;
mod rank;
mod region;
#[cfg(all(feature = "testing", not(loom)))]
pub mod testing;

pub use byte_regions::ByteRegions;
pub use collective::{Collective, VALUES_MAX};
#[cfg(loom)]
pub use collective::{Slots, words_for};
pub use error::Error;
pub use job::Job;
pub use memory::Memory;
pub use part::{Next, Part, Written};
pub use rank::{Host, Rank, Stopped, run};
pub use region::{Checksum, Element, REGIONS_MAX, Region, Regions};
