//! What a client notices of a failover: of this project's machine, and of what people use instead, with the same client
//! and the same measure in one run.
//!
//! [`Peer`] is one such system, [`measure`] kills it under a writing client. [`Understudy`] is a machine of ours in
//! emulation; [`Sentinel`] is two Redis servers with three sentinels, as processes of the host. A process is not a
//! machine: its outcome says what it was measured on.

#![forbid(unsafe_code)]

mod measure;
mod sentinel;
mod understudy;

pub use measure::{Cause, PeerOutcome, measure};
pub use sentinel::Sentinel;
pub use understudy::Understudy;

use harness::problem::Problem;
use harness::writer::FindPort;

/// A service that fails over.
pub trait Peer {
    /// Returns its name, with how it is tuned.
    fn name(&self) -> String;

    /// Returns what it runs on.
    fn runs_on(&self) -> &'static str;

    /// Returns what a client asks for the server to connect to.
    fn finder(&self) -> FindPort;

    /// Makes whoever serves die.
    ///
    /// # Errors
    /// It cannot be made to.
    fn strike(&mut self, cause: Cause) -> Result<(), Problem>;
}
