//! The qualification of a machine (`qualify=`): its parts that need no machine.
//!
//! The monitor measures how cores start, how long an interrupt takes, how far clocks are apart and how long the seat is
//! paused. Then the primary dies again and again by itself ([`Trial`]), and each successor checks that it has what was
//! acknowledged. The monitor keeps the times ([`Samples`]) and ends with a [`Report`]: a page for people, and a block
//! of text ([`block`]) that a tool turns into the report again.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod block;
mod page;
mod report;
mod samples;
mod trial;

pub use report::{CauseReport, Pauses, Report, Verdict};
pub use samples::{Samples, Summary};
pub use trial::{Act, Death, Trial, View};
