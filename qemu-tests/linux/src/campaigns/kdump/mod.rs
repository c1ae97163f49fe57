//! Measures the peer: kdump, by which a distribution's kernel comes back from its own death today. It runs on the same
//! machine, kernel and service, without a monitor, and is tuned as an expert would tune it: we compare with kdump at
//! its best.

mod peer;
mod report;

pub use peer::{HangRun, KdumpRun, Peer};
pub use report::KdumpReport;
